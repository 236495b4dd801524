#include "envs/bullet/bullet_env.h"

#include <bit>
#include <new>

extern btScalar gDbvtMargin;  // Bullet declares it in no header

namespace goalpost {

// Before every block; 16 bytes, as Bullet aligns to 16.
struct alignas(16) BulletMemory::Header {
  union {
    BulletMemory* owner;  // of a block in use; none: it came from the heap
    Header* next;         // of a free block
  };
  std::size_t size_class;
};

namespace {

thread_local BulletMemory* memory_in_use = nullptr;

// Bullet's globals are set once, before the first world; nothing writes to them later.
void set_up_bullet(void* (*allocate)(std::size_t, int), void (*release)(void*)) {
  [[maybe_unused]] static const bool once = [=] {
    btAlignedAllocSetCustomAligned(allocate, release);
    gDbvtMargin = 0;
    return true;
  }();
}

}  // namespace

BulletMemory::BulletMemory() {
  set_up_bullet(
      [](std::size_t bytes, int) -> void* {
        if (memory_in_use != nullptr) return memory_in_use->take(bytes);
        auto* header = static_cast<Header*>(::operator new(sizeof(Header) + bytes, std::align_val_t(alignof(Header))));
        header->owner = nullptr;
        return header + 1;
      },
      &BulletMemory::give_back);
  add_chunk(kChunk);
}

BulletMemory::Use::Use(BulletMemory& memory) : before_(memory_in_use) { memory_in_use = &memory; }
BulletMemory::Use::~Use() { memory_in_use = before_; }

void BulletMemory::add_chunk(std::size_t bytes) {
  static_assert(alignof(Header) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
  chunks_.push_back(std::make_unique_for_overwrite<std::byte[]>(bytes));
  next_ = chunks_.back().get();
  end_ = next_ + bytes;
}

void* BulletMemory::take(std::size_t bytes) {
  const std::size_t size = std::bit_ceil(bytes + sizeof(Header));
  const auto size_class = static_cast<std::size_t>(std::countr_zero(size));
  Header*& first = free_[size_class];
  Header* header = first;
  if (header != nullptr) {
    first = header->next;
  } else {
    if (size > static_cast<std::size_t>(end_ - next_)) add_chunk(std::max(size, kChunk));
    header = reinterpret_cast<Header*>(next_);
    next_ += size;
  }
  header->owner = this;
  header->size_class = size_class;
  return header + 1;
}

void BulletMemory::give_back(void* memory) {
  if (memory == nullptr) return;
  Header* header = static_cast<Header*>(memory) - 1;
  BulletMemory* owner = header->owner;
  if (owner == nullptr) return ::operator delete(header, std::align_val_t(alignof(Header)));
  header->next = owner->free_[header->size_class];
  owner->free_[header->size_class] = header;
}

BulletWorld::BulletWorld(double dt) : dt_(dt) {
  const BulletMemory::Use use(memory_);
  btDefaultCollisionConstructionInfo sizes;
  sizes.m_defaultMaxPersistentManifoldPoolSize = 64;  // 4096 would be 5 MB; if there are more, they are allocated
  sizes.m_defaultMaxCollisionAlgorithmPoolSize = 256;
  configuration_ = std::make_unique<btDefaultCollisionConfiguration>(sizes);
  dispatcher_ = std::make_unique<btCollisionDispatcher>(configuration_.get());
  broadphase_ = std::make_unique<btDbvtBroadphase>();
  broadphase_->setVelocityPrediction(0);
  solver_ = std::make_unique<btMultiBodyConstraintSolver>();
  world_ = std::make_unique<btMultiBodyDynamicsWorld>(dispatcher_.get(), broadphase_.get(), solver_.get(),
                                                      configuration_.get());
  world_->setForceUpdateAllAabbs(false);
  world_->setGravity({0, 0, -10});
  btContactSolverInfo& solver = world_->getSolverInfo();
  solver.m_numIterations = 50;
  solver.m_leastSquaresResidualThreshold = 1e-7;
  solver.m_erp2 = 0.08;
  solver.m_frictionERP = 0.2;
  solver.m_linearSlop = 1e-5;
  solver.m_warmstartingFactor = 0.1;
  solver.m_minimumSolverBatchSize = 0;
}

BulletWorld::~BulletWorld() { clear(); }

btMultiBody& BulletWorld::make_body(int links, double mass, const btVector3& inertia) {
  const bool fixed = mass == 0, can_sleep = false;
  bodies_.push_back(make<btMultiBody>(links, mass, inertia, fixed, can_sleep));
  bodies_.back()->setHasSelfCollision(false);
  return *bodies_.back();
}

btMultiBodyLinkCollider& BulletWorld::set_shape(btMultiBody& body, int link, btCollisionShape& shape, double friction,
                                                double restitution) {
  colliders_.push_back(make<btMultiBodyLinkCollider>(&body, link));
  btMultiBodyLinkCollider& collider = *colliders_.back();
  collider.setCollisionShape(&shape);
  collider.setFriction(friction);
  collider.setRestitution(restitution);
  if (link < 0)
    body.setBaseCollider(&collider);
  else
    body.getLink(link).m_collider = &collider;
  return collider;
}

void BulletWorld::add(btMultiBody& body) {
  const BulletMemory::Use use(memory_);
  btAlignedObjectArray<btQuaternion> rotations;  // scratch
  btAlignedObjectArray<btVector3> positions;
  body.forwardKinematics(rotations, positions);
  body.updateCollisionObjectWorldTransforms(rotations, positions);
  const bool fixed = body.hasFixedBase() && body.getNumLinks() == 0;
  const int group = fixed ? btBroadphaseProxy::StaticFilter : btBroadphaseProxy::DefaultFilter;
  const int all = btBroadphaseProxy::AllFilter;
  const int mask = fixed ? all ^ btBroadphaseProxy::StaticFilter : all;
  for (int link = -1; link < body.getNumLinks(); ++link)
    if (btMultiBodyLinkCollider* collider = link < 0 ? body.getBaseCollider() : body.getLinkCollider(link)) {
      if (fixed) collider->setCollisionFlags(collider->getCollisionFlags() | btCollisionObject::CF_STATIC_OBJECT);
      world_->addCollisionObject(collider, group, mask);
    }
  world_->addMultiBody(&body);
}

void BulletWorld::clear() {
  const BulletMemory::Use use(memory_);
  for (const auto& constraint : constraints_) world_->removeMultiBodyConstraint(constraint.get());
  for (const auto& body : bodies_) world_->removeMultiBody(body.get());
  for (const auto& collider : colliders_) world_->removeCollisionObject(collider.get());
  constraints_.clear();
  colliders_.clear();
  bodies_.clear();
  broadphase_->resetPool(dispatcher_.get());
  solver_->reset();
}

void BulletWorld::step() {
  const BulletMemory::Use use(memory_);
  world_->stepSimulation(dt_, 0);
}

std::string bullet_version() {
  return std::to_string(btGetVersion() / 100) + "." + std::to_string(btGetVersion() % 100);
}

}  // namespace goalpost

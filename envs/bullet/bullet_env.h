// Bullet's worlds of articulated bodies, for the environments of this folder.
#pragma once

#include <BulletDynamics/Featherstone/btMultiBody.h>
#include <BulletDynamics/Featherstone/btMultiBodyConstraintSolver.h>
#include <BulletDynamics/Featherstone/btMultiBodyDynamicsWorld.h>
#include <BulletDynamics/Featherstone/btMultiBodyLinkCollider.h>
#include <btBulletDynamicsCommon.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace goalpost {

/// The version of the library, e.g. "3.24".
std::string bullet_version();

/// The memory pool of one world. Bullet allocates and frees in every step; the pool keeps its blocks, so that stepping
/// and rebuilding a world does not use the heap once the blocks exist.
class BulletMemory {
 public:
  BulletMemory();
  BulletMemory(const BulletMemory&) = delete;
  BulletMemory& operator=(const BulletMemory&) = delete;

  /// During its lifetime Bullet's allocations in this thread come from this pool. Bullet's hook has no argument for a
  /// pool, so that the current one is kept per thread.
  class Use {
   public:
    explicit Use(BulletMemory& memory);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    BulletMemory* before_;
  };

  void* take(std::size_t bytes);
  static void give_back(void* memory);  ///< to the memory that it was taken from

 private:
  struct Header;
  static constexpr std::size_t kChunk = 2 << 20;  // bytes; a race car's world takes less than one

  void add_chunk(std::size_t bytes);

  std::array<Header*, 64> free_{};  // by the logarithm of the size
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  std::byte *next_ = nullptr, *end_ = nullptr;  // what is left of the last chunk
};

/// The world of one lane, with the settings of PyBullet's physics server where they differ from Bullet's own. Bodies
/// are made anew for every episode: a world whose bodies were only moved back keeps contacts and solver state and
/// evolves differently. Lanes share nothing, so that different threads may step them.
class BulletWorld {
 public:
  explicit BulletWorld(double dt);  ///< s
  ~BulletWorld();
  BulletWorld(const BulletWorld&) = delete;
  BulletWorld& operator=(const BulletWorld&) = delete;

  /// Makes an object of Bullet's in this world's memory. Shapes must be made before the bodies that use them, and
  /// outlive them.
  template <class T, class... Args>
  std::unique_ptr<T> make(Args&&... args) {
    const BulletMemory::Use use(memory_);
    return std::make_unique<T>(std::forward<Args>(args)...);
  }

  /// A body of a base and links, which the caller sets up, finalizes and places before add(). A mass of 0 fixes it.
  btMultiBody& make_body(int links, double mass, const btVector3& inertia);
  /// Gives a shape to the base (link -1) or to a link; also an empty one: motors find their island through it.
  btMultiBodyLinkCollider& set_shape(btMultiBody& body, int link, btCollisionShape& shape, double friction,
                                     double restitution);
  /// Adds a finished body to the world, at the pose of its base and joints.
  void add(btMultiBody& body);
  template <class T, class... Args>
  T& add_constraint(Args&&... args) {
    const BulletMemory::Use use(memory_);
    auto constraint = std::make_unique<T>(std::forward<Args>(args)...);
    T& result = *constraint;
    world_->addMultiBodyConstraint(&result);
    result.finalizeMultiDof();
    constraints_.push_back(std::move(constraint));
    return result;
  }

  void clear();  ///< removes everything; the world is in its initial state
  void step();   ///< one time step
  /// During its lifetime calls of Bullet in this thread use this world's memory: for functions that this class lacks.
  BulletMemory::Use use_memory() { return BulletMemory::Use(memory_); }
  btMultiBodyDynamicsWorld& world() { return *world_; }
  /// Whether is_pair(body, body) holds for the bodies of a contact that the last step found, in either order.
  template <class F>
  bool any_contact(F is_pair) const {
    for (int i = 0; i < dispatcher_->getNumManifolds(); ++i) {
      const btPersistentManifold& manifold = *dispatcher_->getManifoldByIndexInternal(i);
      if (manifold.getNumContacts() == 0) continue;
      const btMultiBody *a = body_of(manifold.getBody0()), *b = body_of(manifold.getBody1());
      if (is_pair(a, b) || is_pair(b, a)) return true;
    }
    return false;
  }

 private:
  static const btMultiBody* body_of(const btCollisionObject* object) {
    return static_cast<const btMultiBodyLinkCollider*>(object)->m_multiBody;  // this class makes no other objects
  }

  BulletMemory memory_;  // outlives everything below
  double dt_;
  std::unique_ptr<btDefaultCollisionConfiguration> configuration_;
  std::unique_ptr<btCollisionDispatcher> dispatcher_;
  std::unique_ptr<btDbvtBroadphase> broadphase_;
  std::unique_ptr<btMultiBodyConstraintSolver> solver_;
  std::unique_ptr<btMultiBodyDynamicsWorld> world_;
  std::vector<std::unique_ptr<btMultiBody>> bodies_;
  std::vector<std::unique_ptr<btMultiBodyLinkCollider>> colliders_;
  std::vector<std::unique_ptr<btMultiBodyConstraint>> constraints_;
};

}  // namespace goalpost

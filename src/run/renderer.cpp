#include "run/renderer.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "core/check.h"
#include "envs/mujoco/mujoco_env.h"

namespace goalpost {
namespace {

// What is used of GL/osmesa.h, which comes with no run-time package.
constexpr int kFormat = 0x22, kRgba = 0x1908, kDepthBits = 0x30, kStencilBits = 0x31, kAccumulationBits = 0x32;
constexpr int kProfile = 0x33, kCompatibleProfile = 0x35;
constexpr unsigned kUnsignedByte = 0x1401;
struct OsMesa {
  void* (*create_context)(const int* attributes, void* shared) = nullptr;
  unsigned char (*make_current)(void* context, void* buffer, unsigned type, int width, int height) = nullptr;
  std::string problem;  // why the above are missing
};

template <class F>
void find(void* library, const char* name, F*& function) {
  function = reinterpret_cast<F*>(dlsym(library, name));
}

// Loaded once and kept: MuJoCo looks for its functions in the libraries that are loaded.
OsMesa load_os_mesa() {
  OsMesa m;
  const char* other = std::getenv("GOALPOST_OSMESA");
  const char* name = other != nullptr ? other : "libOSMesa.so.8";
  void* library = dlopen(name, RTLD_NOW | RTLD_GLOBAL);
  if (library != nullptr) {
    find(library, "OSMesaCreateContextAttribs", m.create_context);
    find(library, "OSMesaMakeCurrent", m.make_current);
  }
  if (m.create_context == nullptr || m.make_current == nullptr)
    m.problem = fmt::format(
        "pictures need the graphics library {}, which cannot be loaded; on Debian `apt-get install libosmesa6` "
        "installs it",
        name);
  return m;
}

const OsMesa& os_mesa() {
  static const OsMesa mesa = load_os_mesa();
  return mesa;
}

// Makes a graphics context current in this thread. There is one, kept until the process ends: OSMesa does not give back
// all memory of one that is destroyed. What is drawn goes into buffers of MuJoCo's, this one may be tiny.
void make_current() {
  constexpr int kSide = 16;
  static std::array<std::uint8_t, 4 * kSide * kSide> buffer{};
  const OsMesa& m = os_mesa();
  if (!m.problem.empty()) throw UsageError(m.problem);
  static void* const context = [&] {
    const std::array<int, 11> attributes{kFormat, kRgba,    kDepthBits,         24, kStencilBits, 8, kAccumulationBits,
                                         0,       kProfile, kCompatibleProfile, 0};
    return m.create_context(attributes.data(), nullptr);
  }();
  if (context == nullptr || m.make_current(context, buffer.data(), kUnsignedByte, kSide, kSide) == 0)
    throw std::runtime_error("the graphics library OSMesa cannot make a context");
}

// Light, sky and a pattern for floors; what is seen is appended to it.
std::string stage(int width, int height) {
  return fmt::format(R"(
<mujoco>
  <visual>
    <global offwidth="{}" offheight="{}"/>
    <quality shadowsize="2048" offsamples="4" numslices="24" numstacks="12" numquads="1"/>
    <headlight ambient="0.32 0.32 0.32" diffuse="0.35 0.35 0.35" specular="0 0 0"/>
    <map znear="0.01" zfar="100"/>
  </visual>
  <asset>
    <texture name="sky" type="skybox" builtin="gradient" rgb1="0.98 0.98 1" rgb2="0.70 0.78 0.88" width="64"
             height="384"/>
    <texture name="floor" type="2d" builtin="checker" rgb1="1 1 1" rgb2="0.88 0.88 0.88" width="128" height="128"/>
  </asset>
  <worldbody>
    <light directional="true" dir="0.3 0.4 -1" diffuse="0.45 0.45 0.45" specular="0.1 0.1 0.1" castshadow="true"/>
  </worldbody>
</mujoco>)",
                     width, height);
}

mjtGeom geom_of(Shape::Kind kind) {
  switch (kind) {
    case Shape::Kind::box:
      return mjGEOM_BOX;
    case Shape::Kind::sphere:
      return mjGEOM_SPHERE;
    case Shape::Kind::capsule:
      return mjGEOM_CAPSULE;
    case Shape::Kind::cylinder:
      return mjGEOM_CYLINDER;
    case Shape::Kind::ellipsoid:
      return mjGEOM_ELLIPSOID;
    case Shape::Kind::plane:
      return mjGEOM_PLANE;
    case Shape::Kind::arrow:
      break;
  }
  return mjGEOM_ARROW;
}

void fill(const Shape& shape, mjvGeom& geom) {
  const Eigen::Matrix<mjtNum, 3, 3, Eigen::RowMajor> rotation = shape.rotation;
  const std::array<float, 4> rgba{shape.colour.r, shape.colour.g, shape.colour.b, shape.colour.a};
  std::array<mjtNum, 3> size{shape.size.x(), shape.size.y(), shape.size.z()};
  if (shape.kind == Shape::Kind::capsule || shape.kind == Shape::Kind::cylinder) size[1] = size[2];
  if (shape.kind == Shape::Kind::arrow) size[2] *= 4;  // MuJoCo draws arrows half as long as they are said to be
  mjv_initGeom(&geom, geom_of(shape.kind), size.data(), shape.position.data(), rotation.data(), rgba.data());
  geom.category = mjCAT_DYNAMIC;
  geom.specular = 0.1f;
  geom.shininess = 0.1f;
  if (shape.kind == Shape::Kind::plane) {
    geom.texid = 1;
    geom.texuniform = 1;
    geom.category = mjCAT_STATIC;
  }
  std::strncpy(geom.label, shape.label.c_str(), sizeof geom.label - 1);
}

}  // namespace

std::string renderer_problem() { return os_mesa().problem; }

struct Renderer::State {
  std::shared_ptr<mjModel> model;
  std::unique_ptr<mjData, void (*)(mjData*)> data;
  mjvScene scene;
  mjrContext graphics;
  Picture picture;

  State(int width, int height)
      : model(mj_copyModel(nullptr, parse_mujoco_model("stage", stage(width, height)).get()), mj_deleteModel),
        data(mj_makeData(model.get()), mj_deleteData),
        picture(width, height) {
    make_current();
    mj_forward(model.get(), data.get());
    mjv_defaultScene(&scene);
    mjr_defaultContext(&graphics);
    mjr_makeContext(model.get(), &graphics, height >= 720 ? mjFONTSCALE_150 : mjFONTSCALE_100);
    mjr_setBuffer(mjFB_OFFSCREEN, &graphics);
    if (graphics.currentBuffer != mjFB_OFFSCREEN)
      throw std::runtime_error("the graphics library OSMesa has no off-screen buffer");
  }
  ~State() {
    mjr_freeContext(&graphics);
    mjv_freeScene(&scene);
  }

  void make_room(std::size_t shapes) {
    if (static_cast<std::size_t>(scene.maxgeom) >= shapes) return;
    mjv_freeScene(&scene);
    mjv_makeScene(model.get(), &scene, static_cast<int>(2 * shapes + 100));
    scene.flags[mjRND_SHADOW] = 1;
    scene.flags[mjRND_REFLECTION] = 0;
  }
};

Renderer::Renderer(int width, int height) {
  GP_CHECK(width > 0 && height > 0, "Renderer: a picture of ", width, " x ", height, "; expected positive sizes");
  state_ = std::make_unique<State>(width, height);
}

Renderer::~Renderer() = default;

const Picture& Renderer::draw(const Scene& scene, const std::string& title, const std::string& caption) {
  State& s = *state_;
  make_current();
  mjr_restoreBuffer(&s.graphics);  // another renderer may have been at work
  s.make_room(scene.shapes.size());
  const Camera& c = scene.camera;
  mjvCamera camera;
  mjv_defaultCamera(&camera);
  camera.type = mjCAMERA_FREE;
  std::copy_n(c.look_at.data(), 3, camera.lookat);
  camera.distance = c.distance;
  camera.azimuth = c.azimuth;
  camera.elevation = c.elevation;
  mjvOption option;
  mjv_defaultOption(&option);
  s.model->stat.extent = c.distance;  // what near, far and shadows are measured by
  mjv_updateScene(s.model.get(), s.data.get(), &option, nullptr, &camera, mjCAT_ALL, &s.scene);
  for (int i = 0; i < s.scene.nlight; ++i) {
    mjvLight& light = s.scene.lights[i];
    if (light.headlight != 0) continue;
    const Eigen::Vector3d at = c.look_at - 2 * c.distance * Eigen::Vector3f::Map(light.dir).cast<double>();
    for (int k = 0; k < 3; ++k) light.pos[k] = static_cast<float>(at(k));
  }
  s.graphics.shadowClip = static_cast<float>(c.distance);
  for (const Shape& shape : scene.shapes) fill(shape, s.scene.geoms[s.scene.ngeom++]);

  const mjrRect all{0, 0, s.picture.width, s.picture.height};
  mjr_render(all, &s.scene, &s.graphics);
  if (!title.empty()) mjr_overlay(mjFONT_SHADOW, mjGRID_TOPLEFT, all, title.c_str(), nullptr, &s.graphics);
  if (!caption.empty()) mjr_overlay(mjFONT_SHADOW, mjGRID_BOTTOMLEFT, all, caption.c_str(), nullptr, &s.graphics);
  mjr_readPixels(s.picture.rgb.data(), nullptr, all, &s.graphics);
  const std::size_t row = 3 * static_cast<std::size_t>(s.picture.width);  // the lowest comes first
  for (auto top = s.picture.rgb.begin(), bottom = s.picture.rgb.end() - static_cast<std::ptrdiff_t>(row); top < bottom;
       top += static_cast<std::ptrdiff_t>(row), bottom -= static_cast<std::ptrdiff_t>(row))
    std::swap_ranges(top, top + static_cast<std::ptrdiff_t>(row), bottom);
  return s.picture;
}

}  // namespace goalpost

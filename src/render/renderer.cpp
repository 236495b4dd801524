#include "render/renderer.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iterator>
#include <stdexcept>

#include "core/check.h"
#include "envs/mujoco/mujoco_env.h"

namespace goalpost {
namespace {

// Makes a graphics context current in this thread; false if that fails. There is one context, kept until the process
// ends: OSMesa does not give back all memory of one that is destroyed. What is drawn goes into buffers of MuJoCo's, the
// context's own may be tiny.
using MakeCurrent = std::function<bool()>;

template <class F>
bool find(void* library, const char* name, F*& function) {
  function = reinterpret_cast<F*>(dlsym(library, name));
  return function != nullptr;
}

// Libraries stay loaded: MuJoCo looks for its functions in those that are.
void* load(const char* name) { return dlopen(name, RTLD_NOW | RTLD_GLOBAL); }

// With what is used of GL/osmesa.h, which comes with no run-time package. Empty if the library is missing.
MakeCurrent load_osmesa(const char* name) {
  constexpr int kFormat = 0x22, kRgba = 0x1908, kDepthBits = 0x30, kStencilBits = 0x31, kAccumulationBits = 0x32;
  constexpr int kProfile = 0x33, kCompatibleProfile = 0x35, kSide = 16;
  constexpr unsigned kUnsignedByte = 0x1401;
  void* (*create_context)(const int* attributes, void* shared);
  unsigned char (*make_current)(void* context, void* buffer, unsigned type, int width, int height);
  void* const library = load(name);
  if (library == nullptr || !find(library, "OSMesaCreateContextAttribs", create_context) ||
      !find(library, "OSMesaMakeCurrent", make_current))
    return {};
  const std::array<int, 11> attributes{kFormat, kRgba,    kDepthBits,         24, kStencilBits, 8, kAccumulationBits,
                                       0,       kProfile, kCompatibleProfile, 0};
  void* const context = create_context(attributes.data(), nullptr);
  return [=] {
    static std::array<std::uint8_t, 4 * kSide * kSide> buffer{};
    return context != nullptr && make_current(context, buffer.data(), kUnsignedByte, kSide, kSide) != 0;
  };
}

// EGL's context on the device that is no device: Mesa's software, whatever graphics card there may be.
void* software_display(void* library) {
  constexpr int kExtensions = 0x3055, kMostDevices = 64;
  constexpr unsigned kPlatformDevice = 0x313f;
  void* (*function)(const char* name);
  if (!find(library, "eglGetProcAddress", function)) return nullptr;
  const auto query = reinterpret_cast<unsigned (*)(int, void**, int*)>(function("eglQueryDevicesEXT"));
  const auto describe = reinterpret_cast<const char* (*)(void*, int)>(function("eglQueryDeviceStringEXT"));
  const auto display = reinterpret_cast<void* (*)(unsigned, void*, const int*)>(function("eglGetPlatformDisplayEXT"));
  if (query == nullptr || describe == nullptr || display == nullptr) return nullptr;
  std::array<void*, kMostDevices> devices{};
  int count = 0;
  if (query(kMostDevices, devices.data(), &count) == 0) return nullptr;
  for (int i = 0; i < count; ++i) {
    const char* extensions = describe(devices[i], kExtensions);
    if (extensions != nullptr && std::strstr(extensions, "EGL_MESA_device_software") != nullptr)
      return display(kPlatformDevice, devices[i], nullptr);
  }
  return nullptr;
}

// With what is used of EGL/egl.h and eglext.h: a context without a surface. Empty if the library is missing, or Mesa
// behind it, to which it only leads.
MakeCurrent load_egl(const char* name) {
  constexpr int kSurfaceType = 0x3033, kPbuffer = 1, kRenderableType = 0x3040, kOpenGlBit = 8, kDepthSize = 0x3025;
  constexpr int kStencilSize = 0x3026, kNone = 0x3038;
  constexpr unsigned kOpenGlApi = 0x30a2;
  unsigned (*initialize)(void* display, int* major, int* minor);
  unsigned (*bind)(unsigned api);
  unsigned (*choose)(void* display, const int* attributes, void** configs, int size, int* found);
  void* (*create_context)(void* display, void* config, void* shared, const int* attributes);
  unsigned (*make_current)(void* display, void* draw, void* read, void* context);
  void* const library = load(name);
  if (library == nullptr || !find(library, "eglInitialize", initialize) || !find(library, "eglBindAPI", bind) ||
      !find(library, "eglChooseConfig", choose) || !find(library, "eglCreateContext", create_context) ||
      !find(library, "eglMakeCurrent", make_current))
    return {};
  void* const display = software_display(library);
  if (display == nullptr || initialize(display, nullptr, nullptr) == 0) return {};
  const std::array<int, 9> attributes{
      kSurfaceType, kPbuffer, kRenderableType, kOpenGlBit, kDepthSize, 24, kStencilSize, 8, kNone};
  void* config = nullptr;
  int found = 0;
  void* context = nullptr;
  if (bind(kOpenGlApi) != 0 && choose(display, attributes.data(), &config, 1, &found) != 0 && found > 0)
    context = create_context(display, config, nullptr, nullptr);
  return [=] { return context != nullptr && make_current(display, nullptr, nullptr, context) != 0; };
}

struct Graphics {
  const char* library = nullptr;
  MakeCurrent make_current;
  std::string problem;  // why that is missing
};

Graphics load_graphics() {
  const char* const wanted = std::getenv("GOALPOST_GRAPHICS");
  const char* const osmesa = std::getenv("GOALPOST_OSMESA");
  const std::string kind = wanted != nullptr ? wanted : osmesa != nullptr ? "osmesa" : "";
  if (!kind.empty() && kind != "osmesa" && kind != "egl")
    return {nullptr, {}, fmt::format("GOALPOST_GRAPHICS = \"{}\"; expected osmesa or egl", kind)};
  Graphics g;
  if (kind != "egl") {
    g.library = osmesa != nullptr ? osmesa : "libOSMesa.so.8";
    g.make_current = load_osmesa(g.library);
  }
  if (kind == "egl" || (kind.empty() && !g.make_current)) {
    g.library = "libEGL.so.1";
    g.make_current = load_egl(g.library);
  }
  if (!g.make_current)
    g.problem = fmt::format(
        "rendering needs the graphics library {}, which cannot be loaded; on Debian `apt-get install {}` installs it",
        kind.empty() ? "libOSMesa.so.8 or libEGL.so.1" : g.library,
        kind == "osmesa" ? "libosmesa6" : "libegl1 libgl1-mesa-dri");
  return g;
}

const Graphics& graphics_library() {
  static const Graphics loaded = load_graphics();
  return loaded;
}

void make_current() {
  const Graphics& g = graphics_library();
  if (!g.problem.empty()) throw UsageError(g.problem);
  if (!g.make_current())
    throw std::runtime_error(fmt::format("the graphics library {} cannot make a context", g.library));
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
  const std::array<float, 4> rgba{shape.color.r, shape.color.g, shape.color.b, shape.color.a};
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

std::string renderer_problem() { return graphics_library().problem; }

struct Renderer::State {
  std::shared_ptr<mjModel> model;
  std::unique_ptr<mjData, void (*)(mjData*)> data;
  mjvScene scene;
  mjrContext graphics;
  Frame frame;

  State(int width, int height)
      : model(mj_copyModel(nullptr, parse_mujoco_model("stage", stage(width, height)).get()), mj_deleteModel),
        data(mj_makeData(model.get()), mj_deleteData),
        frame(width, height) {
    make_current();
    mj_forward(model.get(), data.get());
    mjv_defaultScene(&scene);
    mjr_defaultContext(&graphics);
    mjr_makeContext(model.get(), &graphics, height >= 720 ? mjFONTSCALE_150 : mjFONTSCALE_100);
    mjr_setBuffer(mjFB_OFFSCREEN, &graphics);
    if (graphics.currentBuffer != mjFB_OFFSCREEN)
      throw std::runtime_error(
          fmt::format("the graphics library {} has no off-screen buffer", graphics_library().library));
  }
  ~State() {
    mjr_freeContext(&graphics);
    mjv_freeScene(&scene);
  }

  void make_room(std::ptrdiff_t shapes) {
    if (scene.maxgeom >= shapes) return;
    mjv_freeScene(&scene);
    mjv_makeScene(model.get(), &scene, static_cast<int>(2 * shapes + 100));
    scene.flags[mjRND_SHADOW] = 1;
    scene.flags[mjRND_REFLECTION] = 0;
  }
};

Renderer::Renderer(int width, int height) {
  GP_CHECK(width > 0 && height > 0, "Renderer: a frame of ", width, " x ", height, "; expected positive sizes");
  state_ = std::make_unique<State>(width, height);
}

Renderer::~Renderer() = default;

const Frame& Renderer::draw(const Scene& scene, const std::string& title, const std::string& caption) {
  State& s = *state_;
  make_current();
  mjr_restoreBuffer(&s.graphics);  // another renderer may have been at work
  s.make_room(std::ssize(scene.shapes));
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

  const mjrRect all{0, 0, s.frame.width, s.frame.height};
  mjr_render(all, &s.scene, &s.graphics);
  if (!title.empty()) mjr_overlay(mjFONT_SHADOW, mjGRID_TOPLEFT, all, title.c_str(), nullptr, &s.graphics);
  if (!caption.empty()) mjr_overlay(mjFONT_SHADOW, mjGRID_BOTTOMLEFT, all, caption.c_str(), nullptr, &s.graphics);
  mjr_readPixels(s.frame.rgb.data(), nullptr, all, &s.graphics);
  const int row = 3 * s.frame.width;  // the lowest comes first
  for (auto top = s.frame.rgb.begin(), bottom = s.frame.rgb.end() - row; top < bottom; top += row, bottom -= row)
    std::swap_ranges(top, top + row, bottom);
  return s.frame;
}

}  // namespace goalpost

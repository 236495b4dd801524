#include "envs/mujoco/ant.h"

#include <algorithm>
#include <array>

#include "core/check.h"

namespace goalpost {
namespace {

struct Constants {
  double timestep, gear, control, floor;  // s; N m per control; limit of a control; half size of the floor, m
  const char *solref, *solimp;            // of all contacts
};
constexpr std::array<Constants, 2> kConstants{{
    {0.02, 1, 30, 160, "0.02 1", "0.8 0.8 0.01"},
    {0.01, 150, 1, 40, "0.02 1", "0.9 0.95 0.001"},  // the contacts are MuJoCo's default
}};

struct Leg {
  const char* name;
  int x, y;                  // signs of its direction
  const char *axis, *range;  // of the ankle; degrees
};
constexpr std::array<Leg, 4> kLegs{{
    {"front_left", 1, 1, "-1 1 0", "30 70"},
    {"front_right", -1, 1, "1 1 0", "-70 -30"},
    {"back_left", -1, -1, "-1 1 0", "-70 -30"},
    {"back_right", 1, -1, "1 1 0", "30 70"},
}};

std::string capsule(double x, double y) {
  return detail::concatenate(R"(<geom type="capsule" size="0.08" fromto="0 0 0 )", x, ' ', y, " 0\"/>\n");
}

std::string legs() {
  std::string text;
  for (std::size_t i = 0; i < kLegs.size(); ++i) {
    const Leg& leg = kLegs[i];
    const double x = 0.2 * leg.x, y = 0.2 * leg.y;
    text += detail::concatenate("<body name=\"", leg.name, "_leg\">\n", capsule(x, y),                    //
                                "<body name=\"aux_", i + 1, "\" pos=\"", x, ' ', y, " 0\">\n",            //
                                "<joint name=\"hip_", i + 1, R"(" axis="0 0 1" range="-30 30"/>)", '\n',  //
                                capsule(x, y),                                                            //
                                "<body name=\"", leg.name, "_foot\" pos=\"", x, ' ', y, " 0\">\n",        //
                                "<joint name=\"ankle_", i + 1, "\" axis=\"", leg.axis, "\" range=\"", leg.range,
                                "\"/>\n", capsule(2 * x, 2 * y), "</body></body></body>\n");
  }
  return text;
}

std::string motors(const Constants& c) {
  std::string text;
  for (const int leg : {4, 1, 2, 3})
    for (const char* joint : {"hip_", "ankle_"})
      text += detail::concatenate("<motor joint=\"", joint, leg, "\" gear=\"", c.gear,
                                  R"(" ctrllimited="true" ctrlrange=")", -c.control, ' ', c.control, "\"/>\n");
  return text;
}

}  // namespace

std::string mjcf_box(double x, double y, double z, double half_x, double half_y, double half_z,
                     const std::string& attributes) {
  return detail::concatenate(R"(<geom type="box" conaffinity="1" pos=")", x, ' ', y, ' ', z, "\" size=\"", half_x, ' ',
                             half_y, ' ', half_z, "\" ", attributes, "/>\n");
}

MujocoModel make_ant_model(AntKind kind, Integrator integrator, const AntWorld& world) {
  const Constants& c = kConstants[static_cast<std::size_t>(kind)];
  const std::string solimp = world.solimp.empty() ? c.solimp : world.solimp;
  return parse_mujoco_model(
      world.name,
      detail::concatenate(
          "<mujoco model=\"", world.name, "\">\n",                                          //
          R"(<compiler angle="degree" coordinate="local" inertiafromgeom="true"/>)", '\n',  //
          "<option timestep=\"", c.timestep, "\" integrator=\"", integrator == Integrator::rk4 ? "RK4" : "Euler",
          "\"/>\n", R"(<default><joint limited="true" armature="1" damping="1"/>)", '\n',  //
          R"(<geom condim="3" contype="1" conaffinity="0" margin="0.01" friction="1 0.5 0.5" density="5" solref=")",
          c.solref, "\" solimp=\"", solimp, "\" rgba=\"0.8 0.6 0.4 1\"/></default>\n",  //
          "<worldbody>\n",                                                              //
          R"(<geom name="floor" type="plane" conaffinity="1" rgba="0.9 0.9 0.9 1" size=")", c.floor, ' ', c.floor,
          " 1\"/>\n", world.geoms,                                                                             //
          "<body name=\"torso\" pos=\"0 0 ", 0.75 + world.lift, "\">\n",                                       //
          R"(<joint name="root" type="free" armature="0" damping="0" limited="false" margin="0.01"/>)", '\n',  //
          R"(<geom type="sphere" size="0.25"/>)", '\n', legs(), "</body>\n",                                   //
          world.bodies, "</worldbody>\n",                                                                      //
          "<actuator>\n", motors(c), "</actuator>\n</mujoco>\n"));
}

ActionSpace Ant::action_space(const mjModel& model) {
  const Scalar limit = Scalar(model.actuator_ctrlrange[1]);
  return {.dim = kControls,
          .choices = 0,
          .low = Vector::Constant(kControls, -limit),
          .high = Vector::Constant(kControls, limit)};
}

void Ant::reset_with_noise(Rng& rng) {
  mjData& d = sim_.data();
  sim_.reset();
  for (int i = 0; i < kQpos; ++i) d.qpos[i] += 0.1 * (2 * double(rng.uniform()) - 1);
  for (int i = 0; i < kQvel; ++i) d.qvel[i] = 0.1 * double(rng.normal());
  sim_.forward();  // also makes the quaternion a unit one again
}

void Ant::move_to(double x, double y) {
  sim_.data().qpos[0] = x;
  sim_.data().qpos[1] = y;
  sim_.forward();
}

void Ant::draw(Scene& scene) const {
  sim_.draw(scene);
  const auto [low, high] = sim_.fixed_bounds();
  scene.frame(low, high, 90, -62);
  scene.subject = qpos().head<3>();
  scene.subject_size = 1.5;
}

void Ant::draw_goal(ConstVectorRef goal, GoalMark mark, Scene& scene) const {
  const double radius = static_cast<double>(spec_.goal.radius);
  const Eigen::Vector3d at(goal(0), goal(1), goal.size() > 2 ? double(goal(2)) : 0);
  const double above_walls = sim_.fixed_bounds().second.z() - at.z() + 1;
  mark_floor(scene, at, radius, above_walls, mark);
}

void Ant::advance(ActionRef action) {
  std::copy_n(action.data(), kControls, sim_.data().ctrl);
  sim_.step(kSubsteps);
}

}  // namespace goalpost

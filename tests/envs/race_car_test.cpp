#include "envs/bullet/race_car.h"

#include "cri/containerd/managed_config.h"

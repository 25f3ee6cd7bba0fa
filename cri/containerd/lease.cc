#include "cri/containerd/lease.h"

#include "cri/containerd/snapshot_store.h"

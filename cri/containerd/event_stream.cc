#include "cri/containerd/event_stream.h"

/* A clock for limits of many milliseconds. */
#include "core.h"

#include <time.h>

int64_t coarse_now_ms(void)
{
    struct timespec now;

    /* The coarse clock ticks every few milliseconds and costs a quarter of the exact one. */
#ifdef CLOCK_MONOTONIC_COARSE
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
#else
    clock_gettime(CLOCK_MONOTONIC, &now);
#endif
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What the C hosts share: memory that they hold, and a clock. */
#ifndef HOLD_H
#define HOLD_H
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Touches every page, so that a fork would have to copy their table. */
static inline int hold(const char *megabytes)
{
    size_t len = strtoul(megabytes, NULL, 10) << 20;
    static char *volatile memory;
    if (len == 0)
        return 1;
    memory = malloc(len);
    if (memory)
        memset(memory, 1, len);
    return memory != NULL;
}

static inline double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
#endif

/* A mistake on purpose: two items that run at once write the same int without a lock. ThreadSanitizer must report it;
 * were it silent here, its silence about the library would mean nothing. Ends with 2 where the items could not be
 * brought to run at once, which says nothing about the tool. */
#define _POSIX_C_SOURCE 200809L
#include <parmap.h>

#include <stdio.h>
#include <time.h>

typedef struct shared { int arrived, written; } shared;

static int write_together(const void *in, void *out, void *ctx) {
    shared *both = ctx;
    struct timespec pause = {0, 1000000L};
    (void)in, (void)out;
    /* Relaxed counting orders nothing between the two threads, so the writes below stay a race. */
    __atomic_add_fetch(&both->arrived, 1, __ATOMIC_RELAXED);
    for (int ms = 0; ms < 10000 && __atomic_load_n(&both->arrived, __ATOMIC_RELAXED) < 2; ms++)
        nanosleep(&pause, NULL);
    both->written++;
    return __atomic_load_n(&both->arrived, __ATOMIC_RELAXED) < 2;
}

int main(void) {
    const char in[2] = {0, 0};
    shared both = {0, 0};
    par_options options = PAR_OPTIONS_INIT;
    options.workers = 2;
    options.grain = 1;
    if (par_map(write_together, &both, in, 1, NULL, 0, 2, &options) != PAR_OK) {
        fputs("planted_race: the two items did not run at once\n", stderr);
        return 2;
    }
    printf("planted_race: %d writes\n", both.written);
    return 0;
}

/* 128 bodies, two small loops a step: forces (some 500 ns an item), then positions (a few ns an item). */
#include "items.h"
#include "measure.h"

#include <math.h>
#include <string.h>

enum { BODIES = 128, STEPS = 20 };

static void place(struct body *all)
{
    memset(all, 0, BODIES * sizeof *all);
    for (size_t i = 0; i < BODIES; i++) {
        all[i].mass = 1.0 / BODIES;
        for (size_t axis = 0; axis < 3; axis++)
            all[i].position[axis] = (double)((i * 37 + axis * 61) % BODIES) / BODIES;
    }
}

static void steps(const struct contender *contender, struct body *now, struct body *next, size_t count)
{
    struct bodies bodies = {now, BODIES, 1e-3};
    for (size_t step = 0; step < count; step++) {
        contender->map(item_force, &bodies, now, sizeof *now, next, sizeof *next, BODIES);
        contender->map(item_move, &bodies, next, sizeof *next, now, sizeof *now, BODIES);
    }
}

void nbody(const struct setting *setting)
{
    static struct body now[BODIES], next[BODIES], expected[BODIES];
    place(expected);
    steps(setting->loop, expected, next, STEPS);
    place(now);
    steps(setting->contender, now, next, STEPS);
    if (memcmp(now, expected, sizeof now) != 0)
        refuse("the bodies are not where the plain loop leaves them");
    struct budget budget = budget_of(setting, 10);
    while (again(&budget)) {
        uint64_t begin = now_ns();
        steps(setting->contender, now, next, STEPS);
        sample("time_ns", (double)(now_ns() - begin) / STEPS);
    }
}

/* The contender against the plain loop in one process, block by block: n items of `cost` ns at a call site that has been called before. */
#include "items.h"
#include "measure.h"

#include <string.h>

struct work {
    par_map_fn fn;
    uint64_t rounds;
    uint64_t *in, *out;
    size_t n;
};

static double block(const struct contender *contender, struct work *work, size_t calls)
{
    uint64_t begin = now_ns();
    for (size_t k = 0; k < calls; k++)
        contender->map(work->fn, &work->rounds, work->in, 8, work->out, 8, work->n);
    return (double)(now_ns() - begin) / (double)calls;
}

/* A block starts with a call that does not count, unless that would take long: the pause before was not the call's. */
static double settled_block(const struct contender *contender, struct work *work, size_t calls)
{
    if (calls > 1)
        block(contender, work, calls / 10 + 1);
    return block(contender, work, calls);
}

void sweep(const struct setting *setting)
{
    uint64_t cost = number(setting, "cost", 1), block_ns = number(setting, "block_us", 1000) * 1000;
    size_t n = number(setting, "n", 1);
    struct work work = {cost <= 1 ? item_trivial : item_spin, rounds_for(setting, cost), array_of(n, 8), array_of(n, 8), n};
    /* Doubles and whole numbers alike: a small double is a large whole number. */
    for (size_t i = 0; i < n; i++)
        ((double *)work.in)[i] = (double)(i + 1);
    block(setting->contender, &work, 1);
    for (size_t i = 0; i < n; i++)
        if (work.out[i] == 0)
            refuse("item %zu did not run", i);
    double estimate = block(setting->loop, &work, 1);
    size_t calls = (size_t)((double)block_ns / (estimate + 1.0)) + 1;
    struct budget budget = budget_of(setting, 3);
    while (again(&budget)) {
        double ours = settled_block(setting->contender, &work, calls);
        pause_asleep(3000000); /* workers that still look for work must not slow the loop down */
        double loop = settled_block(setting->loop, &work, calls);
        sample("loop_ns", loop);
        sample("time_ns", ours);
        sample("ratio", loop / ours);
    }
}

/* n items of `cost` ns (0: trivial ones), call after call, or after a pause of the caller: `pause` none, asleep or busy. */
#include "items.h"
#include "measure.h"

#include <stdlib.h>
#include <string.h>

struct work {
    par_map_fn fn;
    uint64_t rounds;
    void *in, *out;
    size_t n;
};

static void call(const struct setting *setting, struct work *work)
{
    setting->contender->map(work->fn, &work->rounds, work->in, 8, work->out, 8, work->n);
}

static void check(const struct setting *setting, struct work *work)
{
    const uint64_t *in = work->in, *spun = work->out;
    const double *numbers = work->in, *added = work->out;
    size_t step = work->n / 1000 + 1;
    memset(work->out, 0, work->n * 8);
    call(setting, work);
    for (size_t i = 0; i < work->n; i++)
        if (spun[i] == 0)
            refuse("item %zu of %zu did not run", i, work->n);
    for (size_t i = 0; i < work->n; i += step)
        if (work->fn == item_spin ? spun[i] != spin(in[i], work->rounds) : added[i] != numbers[i] + 1.0)
            refuse("item %zu of %zu has a wrong result", i, work->n);
}

static void after_pauses(const struct setting *setting, struct work *work, int busy)
{
    uint64_t length = number(setting, "pause_us", 1000) * 1000;
    struct budget budget = budget_of(setting, 20);
    size_t unmeasured = 5; /* a contender may learn the caller's rhythm first */
    while (again(&budget)) {
        if (busy)
            pause_busy(length);
        else
            pause_asleep(length);
        uint64_t begin = now_ns();
        call(setting, work);
        uint64_t end = now_ns();
        if (budget.done > unmeasured)
            sample("time_ns", (double)(end - begin));
    }
}

static void in_a_row(const struct setting *setting, struct work *work)
{
    uint64_t begin = now_ns();
    size_t warm = 0;
    while (warm < 1 || now_ns() - begin < 20000000)
        call(setting, work), warm++;
    uint64_t each = (now_ns() - begin) / warm + 1;
    size_t batch = 1000000 / each + 1;
    struct budget budget = budget_of(setting, 3);
    while (again(&budget)) {
        begin = now_ns();
        for (size_t k = 0; k < batch; k++)
            call(setting, work);
        sample("time_ns", (double)(now_ns() - begin) / (double)batch);
    }
}

void calls(const struct setting *setting)
{
    uint64_t cost = number(setting, "cost", 0);
    const char *pause = word(setting, "pause", "none");
    size_t n = number(setting, "n", 8);
    struct work work = {cost == 0 ? item_trivial : item_spin, rounds_for(setting, cost), array_of(n, 8), array_of(n, 8), n};
    for (size_t i = 0; i < n; i++)
        if (cost == 0)
            ((double *)work.in)[i] = (double)i;
        else
            ((uint64_t *)work.in)[i] = i + 1;
    check(setting, &work);
    if (strcmp(pause, "none") == 0)
        in_a_row(setting, &work);
    else
        after_pauses(setting, &work, strcmp(pause, "busy") == 0);
    check(setting, &work);
}

/* One function pointer, many costs: a trampoline that serves many kernels. `cheap_calls` cheap calls, then a costly one, again and again. */
#include "items.h"
#include "measure.h"

#include <string.h>

enum { N_MAX = 1000000 };

static uint64_t in[N_MAX], out[N_MAX];

void changing(const struct setting *setting)
{
    uint64_t cheap_n = number(setting, "cheap_n", 8), costly_n = number(setting, "costly_n", 64);
    uint64_t cheap_calls = number(setting, "cheap_calls", 1000);
    uint64_t cheap = rounds_for(setting, number(setting, "cheap_cost", 1));
    uint64_t costly = rounds_for(setting, number(setting, "costly_cost", 20000));
    if (cheap_n > N_MAX || costly_n > N_MAX)
        refuse("cheap_n and costly_n: at most %d", N_MAX);
    for (size_t i = 0; i < N_MAX; i++)
        in[i] = i + 1;
    struct budget budget = budget_of(setting, 5);
    while (again(&budget)) {
        memset(out, 0, costly_n * sizeof *out);
        uint64_t begin = now_ns();
        for (uint64_t k = 0; k < cheap_calls; k++)
            setting->contender->map(item_spin, &cheap, in, 8, out, 8, cheap_n);
        uint64_t between = now_ns();
        setting->contender->map(item_spin, &costly, in, 8, out, 8, costly_n);
        uint64_t end = now_ns();
        if (budget.done > 1) {
            sample("cheap_ns", (double)(between - begin) / (double)cheap_calls);
            sample("costly_ns", (double)(end - between));
        }
        for (size_t i = 0; i < costly_n; i++)
            if (out[i] == 0)
                refuse("item %zu did not run", i);
    }
}

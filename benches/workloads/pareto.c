/* 2000 items whose costs follow a Pareto distribution (shape 1.1, mean some 20 us), sorted: order=falling or rising. */
#include "items.h"
#include "measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int falling(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left < right) - (left > right);
}

static int rising(const void *a, const void *b)
{
    return falling(b, a);
}

void pareto(const struct setting *setting)
{
    enum { N = 2000 };
    static uint64_t rounds[N], out[N];
    uint64_t state = 42;
    for (size_t i = 0; i < N; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        double uniform = ((double)(state >> 11) + 1.0) / 9007199254740993.0;
        double cost = 4000.0 * pow(uniform, -1.0 / 1.1);
        rounds[i] = rounds_for(setting, (uint64_t)fmin(cost, 1e6));
    }
    qsort(rounds, N, sizeof *rounds, strcmp(word(setting, "order", "falling"), "rising") == 0 ? rising : falling);
    setting->contender->map(item_spin_own, NULL, rounds, sizeof *rounds, out, sizeof *out, N);
    memset(out, 0, sizeof out);
    struct budget budget = budget_of(setting, 3);
    while (again(&budget)) {
        uint64_t begin = now_ns();
        setting->contender->map(item_spin_own, NULL, rounds, sizeof *rounds, out, sizeof *out, N);
        sample("time_ns", (double)(now_ns() - begin));
    }
    for (size_t i = 0; i < N; i++)
        if (out[i] == 0 || (i % 100 == 0 && out[i] != spin(1, rounds[i])))
            refuse("item %zu has a wrong result", i);
}

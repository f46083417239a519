/* 64 items that each map over 1000 items of 50 ns by the same means. */
#include "items.h"
#include "measure.h"

#include <string.h>

enum { OUTER = 64, INNER = 1000 };

struct inner {
    const struct contender *contender;
    uint64_t rounds;
    uint64_t in[INNER], out[OUTER][INNER];
};

static int item_outer(const void *in, void *out, void *ctx)
{
    struct inner *inner = ctx;
    size_t i = *(const size_t *)in;
    inner->contender->map(item_spin, &inner->rounds, inner->in, 8, inner->out[i], 8, INNER);
    *(uint64_t *)out = inner->out[i][INNER - 1];
    return 0;
}

void nested(const struct setting *setting)
{
    static struct inner inner;
    static size_t in[OUTER];
    static uint64_t out[OUTER];
    inner.contender = setting->contender->nests ? setting->contender : setting->loop;
    inner.rounds = rounds_for(setting, number(setting, "cost", 50));
    for (size_t i = 0; i < INNER; i++)
        inner.in[i] = i + 1;
    for (size_t i = 0; i < OUTER; i++)
        in[i] = i;
    struct budget budget = budget_of(setting, 8);
    while (again(&budget)) {
        memset(inner.out, 0, sizeof inner.out);
        uint64_t begin = now_ns();
        setting->contender->map(item_outer, &inner, in, sizeof *in, out, sizeof *out, OUTER);
        if (budget.done > 3)
            sample("time_ns", (double)(now_ns() - begin));
        for (size_t i = 0; i < OUTER; i++)
            for (size_t j = 0; j < INNER; j++)
                if (inner.out[i][j] == 0)
                    refuse("item %zu of the inner loop %zu did not run", j, i);
    }
}

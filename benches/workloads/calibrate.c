/* What item_spin costs in a plain loop, so that "an item of 100 ns" means the same number of steps for everybody. */
#include "items.h"
#include "measure.h"

enum { N = 1000, FEW = 16, MANY = 116 };

static uint64_t in[N], out[N];

static double ns_per_item(const struct setting *setting, uint64_t rounds)
{
    uint64_t begin = now_ns();
    setting->loop->map(item_spin, &rounds, in, 8, out, 8, N);
    return (double)(now_ns() - begin) / N;
}

void calibrate(const struct setting *setting)
{
    struct budget budget = budget_of(setting, 10);
    while (again(&budget)) {
        double few = ns_per_item(setting, FEW), many = ns_per_item(setting, MANY);
        double per_round = (many - few) / (MANY - FEW);
        sample("ns_per_round", per_round);
        sample("ns_per_item", few - FEW * per_round);
    }
}

/* Where memory is the limit: out = a*in + b over n doubles, per item and per range, and the sum of n doubles. */
#include "items.h"
#include "measure.h"

static double *numbers(size_t n)
{
    double *array = array_of(n, sizeof *array);
    for (size_t i = 0; i < n; i++)
        array[i] = (double)(i % 1000);
    return array;
}

static void line(const struct setting *setting, int ranges)
{
    size_t n = number(setting, "n", 50000000);
    struct axpb line = {3.0, 1.0, numbers(n), numbers(n)};
    struct budget budget = budget_of(setting, 4);
    while (again(&budget)) {
        uint64_t begin = now_ns();
        if (ranges)
            setting->contender->for_ranges(range_axpb, &line, n);
        else
            setting->contender->map(item_axpb, &line, line.in, sizeof(double), line.out, sizeof(double), n);
        if (budget.done > 1)
            sample("time_ns", (double)(now_ns() - begin));
    }
    for (size_t i = 0; i < n; i++)
        if (line.out[i] != 3.0 * line.in[i] + 1.0)
            refuse("element %zu has a wrong result", i);
}

void line_per_item(const struct setting *setting)
{
    line(setting, 0);
}

void line_per_range(const struct setting *setting)
{
    line(setting, 1);
}

void sum(const struct setting *setting)
{
    size_t n = number(setting, "n", 100000000);
    double *array = numbers(n);
    double expected = 0.0;
    for (size_t i = 0; i < n; i++)
        expected += array[i];
    struct budget budget = budget_of(setting, 4);
    while (again(&budget)) {
        double total = 0.0;
        uint64_t begin = now_ns();
        setting->contender->reduce(fold_sum, combine_sum, array, &total, sizeof total, n);
        if (budget.done > 1)
            sample("time_ns", (double)(now_ns() - begin));
        if (total != expected) /* whole numbers below 2^53: exact in any order */
            refuse("the sum of %zu numbers is wrong", n);
    }
}

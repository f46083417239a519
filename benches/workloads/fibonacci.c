/* Six items of very different cost, the dearest first: fib 38, 37, 36, 35, 34, 33. No way of sharing beats 1.998x on two cores. */
#include "items.h"
#include "measure.h"

void fibonacci(const struct setting *setting)
{
    enum { N = 6 };
    int32_t in[N];
    int64_t out[N];
    for (int i = 0; i < N; i++)
        in[i] = (int32_t)number(setting, "from", 38) - i;
    struct budget budget = budget_of(setting, 2);
    while (again(&budget)) {
        uint64_t begin = now_ns();
        setting->contender->map(item_fib, NULL, in, sizeof *in, out, sizeof *out, N);
        if (budget.done > 1)
            sample("time_ns", (double)(now_ns() - begin));
    }
    /* fib(38) is known; each number of the list is the sum of the next two. */
    for (int i = 0; i + 2 < N; i++)
        if (out[i] != out[i + 1] + out[i + 2])
            refuse("fib(%d) is wrong", (int)in[i]);
    if (out[N - 1] != fib(in[N - 1]))
        refuse("fib(%d) is wrong", (int)in[N - 1]);
}

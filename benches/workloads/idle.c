/* CPU time that threads burn while nobody calls: after the last call (idle), and between calls that come regularly (rhythm). */
#include "items.h"
#include "measure.h"

enum { N = 1000 };

static uint64_t in[N], out[N];

static void call(const struct setting *setting, uint64_t *rounds, size_t n)
{
    setting->contender->map(item_spin, rounds, in, 8, out, 8, n);
}

void idle(const struct setting *setting)
{
    uint64_t rounds = rounds_for(setting, 1000);
    for (int k = 0; k < 20; k++)
        call(setting, &rounds, N);
    uint64_t end = now_ns(), at_end = cpu_ns();
    pause_asleep(2000000);
    uint64_t soon = cpu_ns();
    pause_asleep(1000000000 - (now_ns() - end));
    uint64_t late = cpu_ns();
    sample("first_2ms_us", (double)(soon - at_end) / 1e3);
    sample("afterwards_us", (double)(late - soon) / 1e3);
}

void rhythm(const struct setting *setting)
{
    uint64_t rounds = rounds_for(setting, number(setting, "cost", 1000));
    uint64_t every = number(setting, "every_us", 10000) * 1000;
    size_t n = number(setting, "n", 100);
    for (int k = 0; k < 10; k++) {
        call(setting, &rounds, n);
        pause_asleep(every);
    }
    struct budget budget = budget_of(setting, 20);
    uint64_t begin = cpu_ns(), count = 0;
    while (again(&budget)) {
        call(setting, &rounds, n);
        pause_asleep(every);
        count++;
    }
    sample("cpu_us", (double)(cpu_ns() - begin) / 1e3 / (double)count);
}

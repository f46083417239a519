/* Several threads of the host call at once, each 50 times over 1000 items of 200 ns; the time until the last is done. */
#include "items.h"
#include "measure.h"

#include <pthread.h>

enum { N = 1000, CALLS = 50, CALLERS_MAX = 64 };

struct caller {
    const struct contender *contender;
    pthread_barrier_t *gate;
    uint64_t rounds;
    int *last;
    uint64_t out[N];
};

static uint64_t input[N];

static void *caller_main(void *argument)
{
    struct caller *caller = argument;
    for (;;) {
        pthread_barrier_wait(caller->gate);
        if (*caller->last)
            return NULL;
        for (int k = 0; k < CALLS; k++)
            caller->contender->map(item_spin, &caller->rounds, input, 8, caller->out, 8, N);
        pthread_barrier_wait(caller->gate);
    }
}

void callers(const struct setting *setting)
{
    size_t count = number(setting, "threads", 8);
    int last = 0;
    static struct caller all[CALLERS_MAX];
    static pthread_t threads[CALLERS_MAX];
    pthread_barrier_t gate;
    if (count > CALLERS_MAX)
        refuse("threads is %zu: at most %d", count, CALLERS_MAX);
    pthread_barrier_init(&gate, NULL, (unsigned)count + 1);
    for (size_t i = 0; i < N; i++)
        input[i] = i + 1;
    for (size_t t = 0; t < count; t++) {
        all[t].contender = setting->contender;
        all[t].gate = &gate;
        all[t].rounds = rounds_for(setting, number(setting, "cost", 200));
        all[t].last = &last;
        if (pthread_create(&threads[t], NULL, caller_main, &all[t]) != 0)
            refuse("the system refuses thread %zu of %zu", t, count);
    }
    struct budget budget = budget_of(setting, 3);
    while (again(&budget)) {
        uint64_t begin = now_ns();
        pthread_barrier_wait(&gate);
        pthread_barrier_wait(&gate);
        if (budget.done > 1)
            sample("time_ns", (double)(now_ns() - begin));
    }
    last = 1;
    pthread_barrier_wait(&gate);
    for (size_t t = 0; t < count; t++) {
        pthread_join(threads[t], NULL);
        for (size_t i = 0; i < N; i++)
            if (all[t].out[i] != spin(input[i], all[t].rounds))
                refuse("item %zu of caller %zu has a wrong result", i, t);
    }
}

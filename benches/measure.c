/* measure LIBRARY CONTENDER LOOP_LIBRARY WORKERS BUDGET_MS NS_PER_ITEM NS_PER_ROUND WORKLOAD [name=value ...]
 * One contender, one workload, one process: nothing that another runtime left behind can disturb it. */
#include "measure.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void pause_asleep(uint64_t ns)
{
    struct timespec length = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    nanosleep(&length, NULL);
}

void pause_busy(uint64_t ns)
{
    uint64_t end = now_ns() + ns;
    while (now_ns() < end)
        ;
}

uint64_t rounds_for(const struct setting *setting, uint64_t ns)
{
    double rounds = ((double)ns - setting->ns_per_item) / setting->ns_per_round;
    return rounds < 1.0 ? 1 : (uint64_t)(rounds + 0.5);
}

void sample(const char *metric, double value)
{
    printf("%s %.9g\n", metric, value);
}

void refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("measure: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    _exit(1);
}

void *array_of(size_t n, size_t size)
{
    void *array = calloc(n > 0 ? n : 1, size);
    if (array == NULL)
        refuse("no memory for %zu elements of %zu bytes", n, size);
    return array;
}

struct budget budget_of(const struct setting *setting, size_t least)
{
    struct budget budget = {now_ns() + (uint64_t)(setting->budget_s * 1e9), least, 0};
    return budget;
}

int again(struct budget *budget)
{
    return budget->done++ < budget->least || now_ns() < budget->end;
}

const char *word(const struct setting *setting, const char *name, const char *otherwise)
{
    size_t len = strlen(name);
    for (int i = 0; i < setting->parameter_count; i++)
        if (strncmp(setting->parameters[i], name, len) == 0 && setting->parameters[i][len] == '=')
            return setting->parameters[i] + len + 1;
    return otherwise;
}

uint64_t number(const struct setting *setting, const char *name, uint64_t otherwise)
{
    const char *text = word(setting, name, NULL);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static const struct contender *opened(const char *path, const char *name)
{
    char symbol[128];
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        refuse("%s", dlerror());
    snprintf(symbol, sizeof symbol, "contender_%s", name);
    const struct contender *contender = dlsym(library, symbol);
    if (contender == NULL)
        refuse("%s", dlerror());
    return contender;
}

static const struct {
    const char *name;
    void (*run)(const struct setting *setting);
} workloads[] = {
    {"calibrate", calibrate},
    {"calls", calls},
    {"fibonacci", fibonacci},
    {"pareto", pareto},
    {"line_per_item", line_per_item},
    {"line_per_range", line_per_range},
    {"sum", sum},
    {"nested", nested},
    {"nbody", nbody},
    {"callers", callers},
    {"idle", idle},
    {"rhythm", rhythm},
    {"texts", texts},
    {"changing", changing},
    {"sweep", sweep},
};

int main(int argc, char **argv)
{
    if (argc < 9)
        refuse("usage: LIBRARY CONTENDER LOOP_LIBRARY WORKERS BUDGET_MS NS_PER_ITEM NS_PER_ROUND WORKLOAD [name=value ...]");
    struct setting setting = {
        .contender = opened(argv[1], argv[2]),
        .loop = opened(argv[3], "loop"),
        .workers = strtoull(argv[4], NULL, 10),
        .budget_s = strtod(argv[5], NULL) / 1e3,
        .ns_per_item = strtod(argv[6], NULL),
        .ns_per_round = strtod(argv[7], NULL),
        .parameter_count = argc - 9,
        .parameters = argv + 9,
    };
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
        if (strcmp(workloads[i].name, argv[8]) != 0)
            continue;
        if (setting.contender->start(setting.workers) != 0)
            refuse("contender %s cannot start %zu workers", argv[2], setting.workers);
        workloads[i].run(&setting);
        fflush(stdout);
        _exit(0); /* threads that spin for ever need no goodbye */
    }
    refuse("there is no workload called %s", argv[8]);
}

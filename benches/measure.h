/* What a workload needs from the measuring program: its contender, its parameters, a clock, and a place for its samples. */
#ifndef BENCHES_MEASURE_H
#define BENCHES_MEASURE_H

#include "contender.h"

#include <stddef.h>
#include <stdint.h>

struct setting {
    const struct contender *contender, *loop;
    size_t workers;
    double ns_per_item, ns_per_round; /* what item_spin costs here: a fixed part, and each step */
    double budget_s;     /* how long samples are taken */
    int parameter_count;
    char **parameters; /* name=value */
};

/* A parameter of the workload, from the command line. */
uint64_t number(const struct setting *setting, const char *name, uint64_t otherwise);
const char *word(const struct setting *setting, const char *name, const char *otherwise);

uint64_t now_ns(void);
uint64_t cpu_ns(void); /* of the whole process */
void pause_asleep(uint64_t ns);
void pause_busy(uint64_t ns);
uint64_t rounds_for(const struct setting *setting, uint64_t ns);

/* One line of output: `metric value`. */
void sample(const char *metric, double value);
/* Ends the program with a sentence: a contender that computes wrong results has no speed. */
void refuse(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void *array_of(size_t n, size_t size);

/* while (again(&budget)) ...: until the time is spent, but `least` times at any rate. */
struct budget {
    uint64_t end;
    size_t least, done;
};
struct budget budget_of(const struct setting *setting, size_t least);
int again(struct budget *budget);

/* The workloads; each in a file of its own. */
void calibrate(const struct setting *setting);
void calls(const struct setting *setting);
void fibonacci(const struct setting *setting);
void pareto(const struct setting *setting);
void line_per_item(const struct setting *setting);
void line_per_range(const struct setting *setting);
void sum(const struct setting *setting);
void nested(const struct setting *setting);
void nbody(const struct setting *setting);
void callers(const struct setting *setting);
void idle(const struct setting *setting);
void rhythm(const struct setting *setting);
void texts(const struct setting *setting);
void changing(const struct setting *setting);
void sweep(const struct setting *setting);

#endif

/* What every C test stands on. A promise is a function; the promises of a file stand in its list at the end:
 *
 *     const promise promises[] = {PROMISE(a_null_function_is_refused), PROMISE(zero_sizes_are_refused), {NULL, NULL}};
 *
 * and a promise that is not on the list is an unused function, which does not compile. */
#ifndef PROMISE_H
#define PROMISE_H
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <parmap.h>

typedef struct promise {
    const char *name;
    void (*keep)(void);
} promise;
extern const promise promises[]; /* ends with a NULL name */

#define PROMISE(name) {#name, name}

/* Ends the process, forked child or not, when something is not so. */
#define CHECK(condition) ((condition) ? (void)0 : broken(__FILE__, __LINE__, "%s", #condition))
#define CHECK_EQUAL(left, right) check_equal(__FILE__, __LINE__, #left, (long long)(left), #right, (long long)(right))
#define CHECK_TEXT(text, part) \
    (strstr(text, part) ? (void)0 : broken(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", text, part))

#if defined __GNUC__
__attribute__((noreturn, format(printf, 3, 4)))
#endif
void broken(const char *file, int line, const char *format, ...);
void check_equal(const char *file, int line, const char *left, long long is, const char *right, long long expected);

/* Ends the process: this machine cannot keep the promise. */
#if defined __GNUC__
__attribute__((noreturn))
#endif
void cannot(const char *why);

/* Runs `work` in a forked child and waits; the child must come to its end within a minute. */
void in_a_child(void (*work)(void));

/* Options whose report is `report`, both fresh. */
par_options reporting_to(par_report *report);

/* Shared counters, for any thread. */
#define ADD(counter, by) __atomic_add_fetch(&(counter), by, __ATOMIC_SEQ_CST)
#define LOAD(counter) __atomic_load_n(&(counter), __ATOMIC_SEQ_CST)
#define STORE(counter, value) __atomic_store_n(&(counter), value, __ATOMIC_SEQ_CST)

/* Sleeps; and waits until *counter is at least `least`, a minute at most. Non-zero: it came true. */
void sleep_ms(unsigned ms);
int reaches(const int *counter, int least);
#endif

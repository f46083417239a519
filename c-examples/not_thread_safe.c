/* A library that keeps its state in global variables, used in parallel all the same: each worker process has its own.
 *
 *     cc -O2 not_thread_safe.c -o not_thread_safe -lparmap && ./not_thread_safe
 */
#define _XOPEN_SOURCE 700 /* putenv, tzset */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <parmap.h>

typedef struct clock_text {
    char text[16];
} clock_text;

static const char *const zone[] = {"TZ=UTC0", "TZ=CET-1", "TZ=IST-5:30", "TZ=NPT-5:45", "TZ=JST-9", "TZ=EST5", "TZ=PST8"};
#define ZONES (sizeof zone / sizeof zone[0])

/* One item: the time in a zone when 2026 begins in London. The zone is a variable of the whole process, localtime and asctime
 * answer in static memory, and strtok remembers where it was: no two threads could do this at once. */
static int new_year(const void *in, void *out, void *ctx)
{
    (void)ctx;
    putenv(*(char *const *)in);
    tzset();
    time_t midnight = 1767225600;
    char *text = asctime(localtime(&midnight)); /* "Thu Jan  1 00:00:00 2026" */
    const char *day = strtok(text, " ");
    strtok(NULL, " ");
    strtok(NULL, " ");
    snprintf(((clock_text *)out)->text, sizeof(clock_text), "%s %s", day, strtok(NULL, " "));
    return 0;
}

int main(void)
{
    clock_text mapped[ZONES], looped;
    int same = 1;

    par_options options = PAR_OPTIONS_INIT;
    options.executor = PAR_PROCESSES;
    if (par_map(new_year, NULL, zone, sizeof zone[0], mapped, sizeof mapped[0], ZONES, &options))
        return 1;

    for (size_t i = 0; i < ZONES; i++) {
        new_year(&zone[i], &looped, NULL);
        same &= strcmp(mapped[i].text, looped.text) == 0;
        printf("%-12s %s\n", zone[i] + strlen("TZ="), mapped[i].text);
    }
    printf("%s as one after the other\n", same ? "the same" : "NOT the same");
    return !same;
}

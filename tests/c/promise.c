/* The main function of the C tests: keeps the promises named on the command line, or lists all. */
#define _POSIX_C_SOURCE 200809L
#include "promise.h"

#include <sys/wait.h>
#include <time.h>

void broken(const char *file, int line, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    fflush(stdout);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, values);
    fprintf(stderr, "\n");
    va_end(values);
    _exit(1);
}

void check_equal(const char *file, int line, const char *left, long long is, const char *right, long long expected)
{
    if (is != expected)
        broken(file, line, "%s is %lld, not %s, %lld", left, is, right, expected);
}

void cannot(const char *why)
{
    printf("%s\n", why);
    fflush(stdout);
    _exit(77);
}

void in_a_child(void (*work)(void))
{
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60);
        work();
        _exit(0);
    }
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        broken(__FILE__, __LINE__, "the child was ended by signal %d", WTERMSIG(status));
    CHECK_EQUAL(WEXITSTATUS(status), 0);
}

par_options reporting_to(par_report *report)
{
    par_options options = PAR_OPTIONS_INIT;
    memset(report, 0, sizeof *report);
    report->size = sizeof *report;
    options.report = report;
    return options;
}

void sleep_ms(unsigned ms)
{
    struct timespec pause = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

int reaches(const int *counter, int least)
{
    for (int tries = 0; tries < 60000 && LOAD(*counter) < least; tries++)
        sleep_ms(1);
    /* Items that meet are no promise of the library: it shares them because they are known to take long. */
    sleep_ms(1);
    return LOAD(*counter) >= least;
}

static const promise *named(const char *name)
{
    const promise *p = promises;
    while (p->name && strcmp(p->name, name) != 0)
        p++;
    return p;
}

int main(int argc, char **argv)
{
    for (const promise *p = promises; argc < 2 && p->name; p++)
        puts(p->name);
    for (int i = 1; i < argc; i++) {
        if (!named(argv[i])->name)
            return 2;
        named(argv[i])->keep();
    }
    return 0;
}

/* Everything the threads executor does, a few hundred times over and in a few seconds, and what forked workers do, for tools
 * that watch from outside: AddressSanitizer, LeakSanitizer, ThreadSanitizer and valgrind. Every answer is checked; the program
 * ends with 0 only if all were right. The argument `threads` leaves out what forks, `fork` leaves out the rest. What it writes from callbacks without a lock is what the library promises to be safe to write. */
#define _POSIX_C_SOURCE 200809L
#include <parmap.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALLERS 8
#define MANY 5000
#define WORKERS 4

#define CHECK(condition)                                                                        \
    do {                                                                                        \
        if (!(condition)) {                                                                     \
            fprintf(stderr, "stress: line %d: this does not hold: %s\n", __LINE__, #condition); \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

static uint32_t executor = PAR_THREADS;

static par_options with_workers(size_t workers) {
    par_options options = PAR_OPTIONS_INIT;
    options.executor = executor;
    options.workers = workers;
    return options;
}

static void sleep_ms(long ms) {
    struct timespec pause = {0, ms * 1000000L};
    nanosleep(&pause, NULL);
}

/* ---- items and ranges ---------------------------------------------------------------------------------------------- */

static int triple(const void *in, void *out, void *ctx) {
    (void)ctx;
    *(long *)out = 3 * *(const long *)in + 1;
    return 0;
}

static void map_once(size_t n, size_t workers, size_t grain) {
    long *in = calloc(n + 1, sizeof *in), *out = calloc(n + 1, sizeof *out);
    par_options options = with_workers(workers);
    CHECK(in && out);
    options.grain = grain;
    for (size_t i = 0; i < n; i++) in[i] = (long)i;
    CHECK(par_map(triple, NULL, in, sizeof *in, out, sizeof *out, n, &options) == PAR_OK);
    for (size_t i = 0; i < n; i++) CHECK(out[i] == 3 * (long)i + 1);
    CHECK(par_map(triple, NULL, in, sizeof *in, in, sizeof *in, n, &options) == PAR_OK);
    CHECK(memcmp(in, out, n * sizeof *in) == 0 && in[n] == 0 && out[n] == 0);
    free(in);
    free(out);
}

static void maps_of_many_shapes(void) {
    const size_t sizes[] = {0, 1, 2, 3, 64, 1000, MANY};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t workers = 0; workers <= WORKERS; workers++)
            for (size_t grain = 0; grain <= 64; grain += 32) map_once(sizes[s], workers, grain);
}

static int visit(size_t begin, size_t end, void *ctx) {
    for (size_t i = begin; i < end; i++) ((unsigned char *)ctx)[i]++;
    return 0;
}

static void ranges_cover_every_index_once(void) {
    static unsigned char visits[MANY];
    par_options options = with_workers(WORKERS);
    for (unsigned char round = 1; round <= 50; round++) {
        CHECK(par_for(visit, visits, MANY, &options) == PAR_OK);
        for (size_t i = 0; i < MANY; i++) CHECK(visits[i] == round);
    }
}

static int add_range(size_t begin, size_t end, void *acc, void *ctx) {
    (void)ctx;
    for (size_t i = begin; i < end; i++) *(double *)acc += 1.0 / (double)(i + 1);
    return 0;
}

static int add_two(void *acc, const void *other, void *ctx) {
    (void)ctx;
    *(double *)acc += *(const double *)other;
    return 0;
}

static void a_sum_has_the_same_bits_with_any_workers(void) {
    double first = 0;
    for (size_t workers = 1; workers <= WORKERS; workers++) {
        for (int round = 0; round < 10; round++) {
            double sum = 0;
            par_options options = with_workers(workers);
            CHECK(par_reduce(add_range, add_two, NULL, &sum, sizeof sum, MANY, &options) == PAR_OK);
            if (workers == 1) first = sum;
            CHECK(memcmp(&sum, &first, sizeof sum) == 0);
        }
    }
}

static int reverse(const void *in, size_t len, par_bytes *out, void *ctx) {
    (void)ctx;
    if (par_bytes_resize(out, len) != PAR_OK) return 1;
    for (size_t i = 0; i < len; i++) ((char *)out->data)[i] = ((const char *)in)[len - 1 - i];
    return 0;
}

static void bytes_of_any_length(void) {
    enum { N = 500 };
    static char text[N];
    par_bytes in[N], out[N];
    par_options options = with_workers(WORKERS);
    memset(out, 0, sizeof out);
    for (size_t i = 0; i < N; i++) {
        text[i] = (char)('a' + i % 26);
        in[i].data = text;
        in[i].len = i;
    }
    for (int round = 0; round < 10; round++) {
        CHECK(par_map_bytes(reverse, NULL, in, out, N, &options) == PAR_OK);
        for (size_t i = 0; i < N; i++)
            CHECK(out[i].len == i && (i == 0 || *(char *)out[i].data == text[i - 1]));
    }
    par_bytes_free(out, N);
    CHECK(out[N - 1].data == NULL && out[N - 1].len == 0);
}

/* ---- calls within calls, and at once ------------------------------------------------------------------------------- */

typedef struct level { size_t depth, leaves; } level;

static int descend(const void *in, void *out, void *ctx) {
    const level *above = in;
    level below[3] = {{0, 0}, {0, 0}, {0, 0}};
    (void)ctx;
    if (above->depth == 0) {
        ((level *)out)->leaves = 1;
        return 0;
    }
    for (int i = 0; i < 3; i++) below[i].depth = above->depth - 1;
    par_options options = with_workers(WORKERS);
    if (par_map(descend, NULL, below, sizeof *below, below, sizeof *below, 3, &options) != PAR_OK) return 1;
    ((level *)out)->depth = above->depth;
    ((level *)out)->leaves = below[0].leaves + below[1].leaves + below[2].leaves;
    return 0;
}

static void calls_nest(void) {
    for (int round = 0; round < 20; round++) {
        level top = {4, 0};
        CHECK(descend(&top, &top, NULL) == 0 && top.leaves == 81);
    }
}

static void *call_often(void *unused) {
    for (size_t round = 0; round < 40; round++) map_once(round * 7, WORKERS, 0);
    return unused;
}

static void many_threads_call_at_once(void) {
    pthread_t callers[CALLERS];
    for (int i = 0; i < CALLERS; i++) CHECK(pthread_create(&callers[i], NULL, call_often, NULL) == 0);
    for (int i = 0; i < CALLERS; i++) CHECK(pthread_join(callers[i], NULL) == 0);
}

/* ---- workers -------------------------------------------------------------------------------------------------------- */

typedef struct scratch { long items, starts, stops; char apart[64]; } scratch;

static int start_worker(size_t worker, void *ctx) {
    ((scratch *)ctx)[worker].starts++;
    return 0;
}

static int stop_worker(size_t worker, void *ctx) {
    ((scratch *)ctx)[worker].stops++;
    return 0;
}

static int count_item(const void *in, void *out, void *ctx) {
    (void)in, (void)out;
    ((scratch *)ctx)[par_worker_index()].items++;
    return 0;
}

static void scratch_of_a_worker_needs_no_lock(void) {
    for (int round = 0; round < 100; round++) {
        scratch workers[WORKERS];
        long items = 0;
        char in[MANY / 10] = {0};
        par_options options = with_workers(WORKERS);
        memset(workers, 0, sizeof workers);
        options.worker_start = start_worker;
        options.worker_stop = stop_worker;
        options.worker_ctx = workers;
        CHECK(par_map(count_item, workers, in, 1, NULL, 0, sizeof in, &options) == PAR_OK);
        for (int i = 0; i < WORKERS; i++) {
            CHECK(workers[i].starts == (workers[i].items > 0) && workers[i].stops == workers[i].starts);
            items += workers[i].items;
        }
        CHECK(items == (long)sizeof in);
    }
}

/* ---- ways to end ---------------------------------------------------------------------------------------------------- */

typedef struct watch { size_t calls, done, cancel_at; } watch;

static int look(const par_progress *progress, void *ctx) {
    watch *seen = ctx;
    CHECK(progress->done >= seen->done && progress->done <= progress->n);
    seen->done = progress->done;
    return ++seen->calls == seen->cancel_at;
}

static int take_a_while(const void *in, void *out, void *ctx) {
    (void)in, (void)out, (void)ctx;
    sleep_ms(1);
    return 0;
}

static void progress_is_polled_and_a_poll_cancels(void) {
    char in[MANY] = {0};
    watch seen = {0, 0, 0};
    par_options options = with_workers(WORKERS);
    options.poll = look;
    options.poll_ctx = &seen;
    options.poll_ms = 1;
    CHECK(par_map(take_a_while, NULL, in, 1, NULL, 0, 100, &options) == PAR_OK);
    CHECK(seen.calls >= 1 && seen.done == 100);
    memset(&seen, 0, sizeof seen);
    seen.cancel_at = 3;
    CHECK(par_map(take_a_while, NULL, in, 1, NULL, 0, MANY, &options) == PAR_ECANCELED);
}

static int set_flag(const void *in, void *out, void *ctx) {
    (void)in, (void)out;
    sleep_ms(1);
    __atomic_store_n((volatile int *)ctx, 1, __ATOMIC_RELAXED);
    return 0;
}

static void a_flag_and_a_deadline_stop_a_call(void) {
    static const char in[MANY];
    volatile int stop = 0;
    par_options options = with_workers(WORKERS);
    options.cancel = &stop;
    for (int round = 0; round < 20; round++) {
        __atomic_store_n(&stop, 0, __ATOMIC_RELAXED);
        CHECK(par_map(set_flag, (void *)&stop, in, 1, NULL, 0, MANY, &options) == PAR_ECANCELED);
    }
    options = with_workers(WORKERS);
    options.timeout_ms = 20;
    CHECK(par_map(take_a_while, NULL, in, 1, NULL, 0, MANY, &options) == PAR_ETIMEDOUT);
}

static int fail_on_sevens(const void *in, void *out, void *ctx) {
    (void)out, (void)ctx;
    return *(const int *)in % 7 == 0 ? *(const int *)in : 0;
}

static void failures_are_kept_apart_from_the_rest(void) {
    enum { N = 700 };
    int in[N];
    par_item items[N];
    par_report report;
    par_options options = with_workers(WORKERS);
    for (int i = 0; i < N; i++) in[i] = i + 1;
    options.items = items;
    options.report = &report;
    options.flags = PAR_KEEP_GOING;
    for (int round = 0; round < 20; round++) {
        report.size = sizeof report;
        CHECK(par_map(fail_on_sevens, NULL, in, sizeof *in, NULL, 0, N, &options) == PAR_EITEM);
        CHECK(report.failed == N / 7 && report.first_failed == 6 && report.first.code == 7);
        for (int i = 0; i < N; i++) {
            int fails = in[i] % 7 == 0;
            CHECK(items[i].state == (fails ? PAR_ITEM_FAILED : PAR_ITEM_OK));
            CHECK(items[i].code == (fails ? in[i] : 0));
        }
    }
    options.flags = 0;
    report.size = sizeof report;
    CHECK(par_map(fail_on_sevens, NULL, in, sizeof *in, NULL, 0, N, &options) == PAR_EITEM);
    CHECK(report.failed >= 1 && in[report.first_failed] % 7 == 0 && report.message[0] != '\0');
}

/* ---- a child -------------------------------------------------------------------------------------------------------- */

static void a_forked_child_calls_again(void) {
    int status = 0;
    map_once(MANY, WORKERS, 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        map_once(MANY, WORKERS, 0);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    map_once(MANY, WORKERS, 0);
}

static void threads(void) {
    maps_of_many_shapes();
    ranges_cover_every_index_once();
    a_sum_has_the_same_bits_with_any_workers();
    bytes_of_any_length();
    calls_nest();
    many_threads_call_at_once();
    scratch_of_a_worker_needs_no_lock();
    progress_is_polled_and_a_poll_cancels();
    a_flag_and_a_deadline_stop_a_call();
    failures_are_kept_apart_from_the_rest();
}

/* What a sanitizer finds in a worker ends that worker, and then the answer is wrong. */
static void forked_workers(void) {
    executor = PAR_PROCESSES;
    maps_of_many_shapes();
    a_sum_has_the_same_bits_with_any_workers();
    bytes_of_any_length();
    progress_is_polled_and_a_poll_cancels();
    failures_are_kept_apart_from_the_rest();
    executor = PAR_THREADS;
}

int main(int argc, char **argv) {
    const char *part = argc > 1 ? argv[1] : "all";
    if (strcmp(part, "fork") != 0) threads();
    if (strcmp(part, "threads") != 0) {
        a_forked_child_calls_again();
        forked_workers();
    }
    puts("stress: every answer was right");
    return 0;
}

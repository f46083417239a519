/* After ten thousand calls nothing has been left behind, and a call's own memory does not depend on its items. */
#define _POSIX_C_SOURCE 200809L
#include "promise.h"

#include <dirent.h>
#include <sys/resource.h>

#define ITEMS 64

static int count_entries(const char *folder)
{
    int count = 0;
    DIR *entries = opendir(folder);
    CHECK(entries != NULL);
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

static size_t resident_bytes(void)
{
    unsigned long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file && fscanf(file, "%lu %lu", &all, &resident) == 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static int negative(const void *item, void *result, void *ctx)
{
    (void)ctx;
    *(int *)result = -*(const int *)item;
    return *(const int *)item == 1000; /* one item that fails, where there is one */
}

static int count_range(size_t begin, size_t end, void *acc, void *ctx)
{
    (void)ctx;
    *(size_t *)acc += end - begin;
    return 0;
}

static int add_counts(void *acc, const void *other, void *ctx)
{
    (void)ctx;
    *(size_t *)acc += *(const size_t *)other;
    return 0;
}

static int copy(const void *item, size_t len, par_bytes *result, void *ctx)
{
    (void)ctx;
    CHECK_EQUAL(par_bytes_resize(result, len), PAR_OK);
    memcpy(result->data, item, len);
    return 0;
}

static int go_on(const par_progress *progress, void *ctx)
{
    (void)progress, (void)ctx;
    return 0;
}

static int hook(size_t worker, void *ctx)
{
    (void)worker, (void)ctx;
    return 0;
}

/* One of everything: plain, failing, canceled, watched, hooked, refused; every call of the library. */
static void call_everything(void)
{
    static const volatile int canceled = 1;
    static par_item items[ITEMS];
    static par_bytes names[ITEMS], results[ITEMS];
    int in[ITEMS], out[ITEMS];
    size_t sum = 0;
    par_report report;
    par_options options = reporting_to(&report);
    options.workers = 3;
    options.items = items;
    for (int i = 0; i < ITEMS; i++) {
        in[i] = i;
        names[i].data = &in[i];
        names[i].len = sizeof in[i];
    }

    CHECK_EQUAL(par_map(negative, NULL, in, sizeof in[0], out, sizeof out[0], ITEMS, &options), PAR_OK);
    CHECK_EQUAL(par_reduce(count_range, add_counts, NULL, &sum, sizeof sum, ITEMS, &options), PAR_OK);
    CHECK_EQUAL(par_map_bytes(copy, NULL, names, results, ITEMS, &options), PAR_OK);
    par_bytes_free(results, ITEMS);

    options.worker_start = hook;
    options.worker_stop = hook;
    in[7] = 1000;
    CHECK_EQUAL(par_map(negative, NULL, in, sizeof in[0], out, sizeof out[0], ITEMS, &options), PAR_EITEM);
    options.poll = go_on;
    in[7] = 7;
    CHECK_EQUAL(par_map(negative, NULL, in, sizeof in[0], out, sizeof out[0], ITEMS, &options), PAR_OK);
    options.cancel = &canceled;
    CHECK_EQUAL(par_map(negative, NULL, in, sizeof in[0], out, sizeof out[0], ITEMS, &options), PAR_ECANCELED);
    CHECK_EQUAL(par_map(NULL, NULL, in, sizeof in[0], out, sizeof out[0], ITEMS, &options), PAR_EINVAL);
    par_shm_free(par_shm_alloc(1000), 1000);
}

static void ten_thousand_calls_leave_no_thread_memory_or_descriptor_behind(void)
{
    for (int round = 0; round < 200; round++)
        call_everything();
    int threads = count_entries("/proc/self/task"), descriptors = count_entries("/proc/self/fd");
    size_t resident = resident_bytes();
    for (int round = 0; round < 10000 / 7 + 1; round++)
        call_everything();
    CHECK_EQUAL(count_entries("/proc/self/task"), threads);
    CHECK_EQUAL(count_entries("/proc/self/fd"), descriptors);
    CHECK(resident_bytes() < resident + ((size_t)1 << 20));
}

static void one_of_everything_runs(void)
{
    for (int round = 0; round < 3; round++)
        call_everything();
}

static size_t peak_bytes(void)
{
    struct rusage usage;
    CHECK_EQUAL(getrusage(RUSAGE_SELF, &usage), 0);
    return (size_t)usage.ru_maxrss * 1024;
}

static int touch_range(size_t begin, size_t end, void *ctx)
{
    (void)begin, (void)end, (void)ctx;
    return 0;
}

static int touch_item(const void *item, void *result, void *ctx)
{
    (void)ctx;
    *(char *)result = *(const char *)item;
    return 0;
}

static void call_with(char *in, size_t n)
{
    size_t sum = 0;
    par_options options = PAR_OPTIONS_INIT;
    options.workers = 3;
    CHECK_EQUAL(par_for(touch_range, NULL, n, &options), PAR_OK);
    options.grain = 1;
    CHECK_EQUAL(par_reduce(count_range, add_counts, NULL, &sum, sizeof sum, n, &options), PAR_OK);
    CHECK_EQUAL(sum, n);
    CHECK_EQUAL(par_map(touch_item, NULL, in, 1, in, 1, n, &options), PAR_OK);
}

/* A bit an item would be 1.2 MB here. */
static void the_memory_of_a_call_does_not_depend_on_the_number_of_items(void)
{
    const size_t many = 10000000;
    char *in = malloc(many);
    CHECK(in != NULL);
    memset(in, 1, many);
    for (int round = 0; round < 100; round++)
        call_with(in, 5000);
    size_t before = peak_bytes();
    call_with(in, many);
    CHECK(peak_bytes() < before + ((size_t)1 << 20));
    free(in);
}

const promise promises[] = {
    PROMISE(ten_thousand_calls_leave_no_thread_memory_or_descriptor_behind),
    PROMISE(one_of_everything_runs),
    PROMISE(the_memory_of_a_call_does_not_depend_on_the_number_of_items),
    {NULL, NULL},
};

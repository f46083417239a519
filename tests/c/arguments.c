/* Bad arguments are refused before anything runs, with a sentence that names the call and the argument. */
#include "promise.h"

static int ran;

static int map_item(const void *in, void *out, void *ctx)
{
    (void)in, (void)out, (void)ctx;
    ADD(ran, 1);
    return 0;
}

static int range(size_t begin, size_t end, void *ctx)
{
    (void)begin, (void)end, (void)ctx;
    ADD(ran, 1);
    return 0;
}

static int fold(size_t begin, size_t end, void *acc, void *ctx)
{
    (void)begin, (void)end, (void)acc, (void)ctx;
    ADD(ran, 1);
    return 0;
}

static int combine(void *acc, const void *other, void *ctx)
{
    (void)acc, (void)other, (void)ctx;
    return 0;
}

static int bytes_item(const void *in, size_t in_len, par_bytes *out, void *ctx)
{
    (void)in, (void)in_len, (void)out, (void)ctx;
    ADD(ran, 1);
    return 0;
}

static double in[16], out[16];
static par_bytes names[4], results[4];
static par_report report;

/* The call that just returned `status` said no: why, and about which argument. */
static void refused(par_status status, par_status expected, const char *call, const char *argument)
{
    CHECK_EQUAL(status, expected);
    CHECK_EQUAL(ran, 0);
    CHECK_EQUAL(report.done, 0);
    CHECK_EQUAL(report.failed, 0);
    CHECK_EQUAL(report.first_failed, SIZE_MAX);
    if (strncmp(report.message, call, strlen(call)) != 0 || report.message[strlen(call)] != ':')
        broken(__FILE__, __LINE__, "\"%s\" does not begin with \"%s:\"", report.message, call);
    CHECK_TEXT(report.message, argument);
}

#define REFUSED(call, argument, ...)                                         \
    do {                                                                     \
        par_options options = reporting_to(&report);                         \
        refused(call(__VA_ARGS__, &options), PAR_EINVAL, #call, argument);   \
    } while (0)

static void a_null_function_is_refused(void)
{
    double acc = 0;
    REFUSED(par_map, "fn", NULL, NULL, in, sizeof in[0], out, sizeof out[0], 16);
    REFUSED(par_for, "fn", NULL, NULL, 16);
    REFUSED(par_reduce, "fold", NULL, combine, NULL, &acc, sizeof acc, 16);
    REFUSED(par_reduce, "combine", fold, NULL, NULL, &acc, sizeof acc, 16);
    REFUSED(par_map_bytes, "fn", NULL, NULL, names, results, 4);
}

static void null_arrays_are_refused_when_there_are_items(void)
{
    REFUSED(par_map, "in", map_item, NULL, NULL, sizeof in[0], out, sizeof out[0], 16);
    REFUSED(par_map, "out", map_item, NULL, in, sizeof in[0], NULL, sizeof out[0], 16);
    REFUSED(par_reduce, "acc", fold, combine, NULL, NULL, sizeof(double), 16);
    REFUSED(par_map_bytes, "in", bytes_item, NULL, NULL, results, 4);
    REFUSED(par_map_bytes, "out", bytes_item, NULL, names, NULL, 4);
}

static void an_entry_with_a_length_but_no_data_is_refused(void)
{
    names[2].len = 5;
    REFUSED(par_map_bytes, "in[2]", bytes_item, NULL, names, results, 4);
}

static void zero_sizes_are_refused(void)
{
    double acc = 0;
    REFUSED(par_map, "in_size", map_item, NULL, in, 0, out, sizeof out[0], 16);
    REFUSED(par_map, "out_size", map_item, NULL, in, sizeof in[0], out, 0, 16);
    REFUSED(par_reduce, "acc_size", fold, combine, NULL, &acc, 0, 16);
}

static void sizes_that_overflow_are_refused(void)
{
    double acc = 0;
    REFUSED(par_map, "in_size", map_item, NULL, in, SIZE_MAX / 2, out, 1, 3);
    REFUSED(par_map, "in_size", map_item, NULL, in, 8, out, 1, SIZE_MAX / 8 + 2);
    REFUSED(par_map, "in_size", map_item, NULL, in, 1, NULL, 0, (size_t)PTRDIFF_MAX + 1);
    REFUSED(par_map, "out_size", map_item, NULL, in, 1, out, SIZE_MAX / 2, 3);
    REFUSED(par_reduce, "acc_size", fold, combine, NULL, &acc, (size_t)PTRDIFF_MAX + 1, 16);
    REFUSED(par_map_bytes, "times n", bytes_item, NULL, names, results, SIZE_MAX / sizeof(par_bytes) + 2);
}

static void an_item_array_that_would_overflow_is_refused(void)
{
    static par_item items[1];
    par_options options = reporting_to(&report);
    options.items = items;
    refused(par_for(range, NULL, SIZE_MAX / sizeof(par_item) + 2, &options), PAR_EINVAL, "par_for", "items");
}

static void overlapping_arrays_are_refused(void)
{
    REFUSED(par_map, "overlap", map_item, NULL, in, sizeof in[0], in + 1, sizeof in[0], 8);
    REFUSED(par_map, "overlap", map_item, NULL, in + 1, sizeof in[0], in, sizeof in[0], 8);
    REFUSED(par_map, "overlap", map_item, NULL, in + 7, sizeof in[0], in, sizeof in[0], 8);
    REFUSED(par_map, "overlap", map_item, NULL, in, sizeof in[0], in, sizeof(float), 8);
    REFUSED(par_map, "overlap", map_item, NULL, in, sizeof(float), in, sizeof in[0], 8);
    REFUSED(par_map_bytes, "overlap", bytes_item, NULL, names, names, 4);
    REFUSED(par_map_bytes, "overlap", bytes_item, NULL, names, names + 1, 3);
}

static int doubled(const void *item, void *result, void *ctx)
{
    (void)ctx;
    *(double *)result = 2 * *(const double *)item;
    return 0;
}

static void arrays_that_touch_do_not_overlap(void)
{
    for (int i = 0; i < 8; i++)
        in[i] = i;
    CHECK_EQUAL(par_map(doubled, NULL, in, sizeof in[0], in + 8, sizeof in[0], 8, NULL), PAR_OK);
    for (int i = 0; i < 8; i++)
        CHECK(in[i] == i && in[8 + i] == 2 * i);
}

static void an_array_can_be_mapped_in_place(void)
{
    for (int i = 0; i < 16; i++)
        in[i] = i;
    CHECK_EQUAL(par_map(doubled, NULL, in, sizeof in[0], in, sizeof in[0], 16, NULL), PAR_OK);
    for (int i = 0; i < 16; i++)
        CHECK(in[i] == 2 * i);
}

static void a_map_without_results_needs_no_output(void)
{
    CHECK_EQUAL(par_map(map_item, NULL, in, sizeof in[0], NULL, 0, 16, NULL), PAR_OK);
    CHECK_EQUAL(ran, 16);
}

static void no_items_need_no_arrays(void)
{
    double acc = 7;
    par_options options = reporting_to(&report);
    CHECK_EQUAL(par_map(map_item, NULL, NULL, 0, NULL, 0, 0, &options), PAR_OK);
    CHECK_EQUAL(par_for(range, NULL, 0, &options), PAR_OK);
    CHECK_EQUAL(par_map_bytes(bytes_item, NULL, NULL, NULL, 0, &options), PAR_OK);
    CHECK_EQUAL(par_reduce(fold, combine, NULL, &acc, sizeof acc, 0, &options), PAR_OK);
    CHECK(acc == 7);
    CHECK_EQUAL(ran, 0);
    CHECK_EQUAL(report.done, 0);
    CHECK_EQUAL(report.first_failed, SIZE_MAX);
    CHECK_EQUAL(strlen(report.message), 0);
}

static void unknown_flags_are_refused(void)
{
    static const uint32_t flags[] = {PAR_RUN_INHERIT, PAR_RUN_SYNC, 8u, 1u << 31, PAR_KEEP_GOING | 16u};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        par_options options = reporting_to(&report);
        options.flags = flags[i];
        refused(par_for(range, NULL, 16, &options), PAR_EINVAL, "par_for", "flags");
    }
}

static void unknown_executors_are_refused(void)
{
    static const uint32_t executors[] = {3, 255, UINT32_MAX};
    for (size_t i = 0; i < sizeof executors / sizeof executors[0]; i++) {
        par_options options = reporting_to(&report);
        options.executor = executors[i];
        refused(par_for(range, NULL, 16, &options), PAR_EINVAL, "par_for", "executor");
    }
}

static void reserved_values_are_refused(void)
{
    par_options options = reporting_to(&report);
    options.reserved = 1;
    refused(par_for(range, NULL, 16, &options), PAR_EINVAL, "par_for", "reserved");
}

static void threads_and_ranks_cannot_time_out_an_item(void)
{
    static const uint32_t executors[] = {PAR_THREADS, PAR_MPI};
    for (size_t i = 0; i < sizeof executors / sizeof executors[0]; i++) {
        par_options options = reporting_to(&report);
        options.executor = executors[i];
        options.item_timeout_ms = 1000;
        refused(par_for(range, NULL, 16, &options), PAR_ENOTSUP, "par_for", "item_timeout_ms");
    }
}

static void options_of_an_impossible_size_are_refused(void)
{
    static const size_t sizes[] = {0, 1, 8, 15, 17, sizeof(par_options) - 1, sizeof(par_options) + 1, 4104, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        par_options options = PAR_OPTIONS_INIT;
        options.size = sizes[i];
        CHECK_EQUAL(par_for(range, NULL, 16, &options), PAR_EINVAL);
        CHECK_EQUAL(ran, 0);
    }
}

/* An older program knows fewer fields: what lies behind its options is not the library's business. */
static void options_of_an_older_program_work(void)
{
    for (size_t size = 16; size < sizeof(par_options); size += 8) {
        union {
            par_options options;
            unsigned char bytes[sizeof(par_options)];
        } older;
        const par_options fresh = PAR_OPTIONS_INIT;
        memset(older.bytes, 0xff, sizeof older);
        memcpy(older.bytes, &fresh, size);
        older.options.size = size;
        ran = 0;
        CHECK_EQUAL(par_map(map_item, NULL, in, sizeof in[0], out, sizeof out[0], 16, &older.options), PAR_OK);
        CHECK_EQUAL(ran, 16);
    }
}

/* A newer program knows more fields: zeros there ask for nothing that this library does not know. */
static void options_of_a_newer_program_work_while_their_tail_is_zero(void)
{
    static const size_t sizes[] = {sizeof(par_options) + 8, 1024, 4096};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        union {
            par_options options;
            unsigned char bytes[4096];
        } newer;
        memset(&newer, 0, sizeof newer);
        newer.options = reporting_to(&report);
        newer.options.size = sizes[i];
        ran = 0;
        CHECK_EQUAL(par_map(map_item, NULL, in, sizeof in[0], out, sizeof out[0], 16, &newer.options), PAR_OK);
        CHECK_EQUAL(ran, 16);

        ran = 0;
        newer.bytes[sizes[i] - 1] = 1;
        refused(par_for(range, NULL, 16, &newer.options), PAR_EINVAL, "par_for", "options");
    }
}

static void a_report_of_an_impossible_size_is_refused(void)
{
    static const size_t sizes[] = {0, 8, sizeof(par_report) - 8, 4104, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        par_options options = reporting_to(&report);
        par_report before;
        report.size = sizes[i];
        report.done = 99;
        before = report;
        CHECK_EQUAL(par_for(range, NULL, 16, &options), PAR_EINVAL);
        CHECK_EQUAL(ran, 0);
        CHECK_EQUAL(memcmp(&before, &report, sizeof report), 0);
    }
}

static void a_report_of_a_newer_program_is_filled_and_zero_beyond(void)
{
    union {
        par_report report;
        unsigned char bytes[4096];
    } newer;
    memset(&newer, 0, sizeof newer);
    newer.report.size = sizeof newer;
    newer.bytes[sizeof newer - 1] = 42;
    par_options options = PAR_OPTIONS_INIT;
    options.report = &newer.report;
    CHECK_EQUAL(par_map(map_item, NULL, in, sizeof in[0], out, sizeof out[0], 16, &options), PAR_OK);
    CHECK_EQUAL(newer.report.done, 16);
    CHECK_EQUAL(newer.report.size, sizeof newer);
    CHECK_EQUAL(newer.bytes[sizeof newer - 1], 0);
}

static void a_message_fits_and_ends_whatever_the_numbers(void)
{
    par_options options = reporting_to(&report);
    memset(report.message, 'x', sizeof report.message);
    CHECK_EQUAL(par_map(map_item, NULL, in, SIZE_MAX, out, SIZE_MAX, SIZE_MAX, &options), PAR_EINVAL);
    CHECK(memchr(report.message, '\0', sizeof report.message) != NULL);
}

static void every_status_has_its_own_sentence(void)
{
    for (par_status status = PAR_OK; status <= PAR_EPANIC; status++) {
        CHECK(strlen(par_strerror(status)) > 0);
        for (par_status other = PAR_OK; other < status; other++)
            CHECK(strcmp(par_strerror(status), par_strerror(other)) != 0);
    }
    CHECK(strlen(par_strerror(-1)) > 0);
    CHECK(strlen(par_strerror(12345)) > 0);
}

const promise promises[] = {
    PROMISE(a_null_function_is_refused),
    PROMISE(null_arrays_are_refused_when_there_are_items),
    PROMISE(an_entry_with_a_length_but_no_data_is_refused),
    PROMISE(zero_sizes_are_refused),
    PROMISE(sizes_that_overflow_are_refused),
    PROMISE(an_item_array_that_would_overflow_is_refused),
    PROMISE(overlapping_arrays_are_refused),
    PROMISE(arrays_that_touch_do_not_overlap),
    PROMISE(an_array_can_be_mapped_in_place),
    PROMISE(a_map_without_results_needs_no_output),
    PROMISE(no_items_need_no_arrays),
    PROMISE(unknown_flags_are_refused),
    PROMISE(unknown_executors_are_refused),
    PROMISE(reserved_values_are_refused),
    PROMISE(threads_and_ranks_cannot_time_out_an_item),
    PROMISE(options_of_an_impossible_size_are_refused),
    PROMISE(options_of_an_older_program_work),
    PROMISE(options_of_a_newer_program_work_while_their_tail_is_zero),
    PROMISE(a_report_of_an_impossible_size_is_refused),
    PROMISE(a_report_of_a_newer_program_is_filled_and_zero_beyond),
    PROMISE(a_message_fits_and_ends_whatever_the_numbers),
    PROMISE(every_status_has_its_own_sentence),
    {NULL, NULL},
};

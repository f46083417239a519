/* Every item runs once, and what became of each is told: which ran, which failed and how, which did not run. */
#include "promise.h"

#include <limits.h>

#define MANY 5000
#define UNTOUCHED 0x5a5a5a5a

static int in[MANY], out[MANY], times_run[MANY];
static par_item items[MANY];
static par_report report;

/* The codes that items fail with; 0: they succeed. */
static int fails_with[MANY];

static int work(const void *item, void *result, void *ctx)
{
    int i = *(const int *)item;
    (void)ctx;
    ADD(times_run[i], 1);
    *(int *)result = i + 1;
    return fails_with[i];
}

static void prepare(void)
{
    for (int i = 0; i < MANY; i++) {
        in[i] = i;
        out[i] = UNTOUCHED;
        times_run[i] = 0;
        fails_with[i] = 0;
        items[i].state = 99;
        items[i].code = 99;
    }
}

/* Whatever happened, items, report and array tell the same story. */
static void check_story(size_t n)
{
    size_t done = 0, failed = 0, first = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        CHECK_EQUAL(times_run[i], items[i].state == PAR_ITEM_NOT_RUN ? 0 : 1);
        switch (items[i].state) {
        case PAR_ITEM_NOT_RUN:
            CHECK_EQUAL(items[i].code, 0);
            CHECK_EQUAL(out[i], UNTOUCHED);
            break;
        case PAR_ITEM_OK:
            CHECK_EQUAL(items[i].code, 0);
            CHECK_EQUAL(fails_with[i], 0);
            CHECK_EQUAL(out[i], (int)i + 1);
            done++;
            break;
        default:
            CHECK_EQUAL(items[i].state, PAR_ITEM_FAILED);
            CHECK(fails_with[i] != 0);
            CHECK_EQUAL(items[i].code, fails_with[i]);
            done++;
            failed++;
            if (first == SIZE_MAX)
                first = i;
        }
    }
    CHECK_EQUAL(report.done, done);
    CHECK_EQUAL(report.failed, failed);
    CHECK_EQUAL(report.first_failed, first);
    if (first != SIZE_MAX) {
        CHECK_EQUAL(report.first.state, PAR_ITEM_FAILED);
        CHECK_EQUAL(report.first.code, fails_with[first]);
    }
}

static par_status map(size_t n, uint32_t flags, size_t workers, size_t grain)
{
    par_options options = reporting_to(&report);
    options.flags = flags;
    options.workers = workers;
    options.grain = grain;
    options.items = items;
    par_status status = par_map(work, NULL, in, sizeof in[0], out, sizeof out[0], n, &options);
    check_story(n);
    CHECK(report.workers >= 1 && report.workers <= workers);
    return status;
}

static const size_t worker_counts[] = {1, 2, 3, 7};
static const size_t grains[] = {0, 1, 3, 64, 1000000};
static const size_t lengths[] = {1, 2, 3, 7, 64, 1000, MANY};

static void every_item_runs_once_whatever_the_number_of_items_workers_and_grain(void)
{
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++)
        for (size_t w = 0; w < sizeof worker_counts / sizeof worker_counts[0]; w++)
            for (size_t g = 0; g < sizeof grains / sizeof grains[0]; g++) {
                prepare();
                CHECK_EQUAL(map(lengths[l], 0, worker_counts[w], grains[g]), PAR_OK);
                CHECK_EQUAL(report.done, lengths[l]);
                CHECK_EQUAL(strlen(report.message), 0);
            }
}

static void an_item_that_fails_is_named_with_its_code_wherever_it_stands(void)
{
    static const size_t places[] = {0, MANY / 2, MANY - 1};
    static const int codes[] = {1, -1, INT_MAX, INT_MIN};
    for (size_t p = 0; p < 3; p++)
        for (size_t c = 0; c < 4; c++)
            for (size_t w = 0; w < sizeof worker_counts / sizeof worker_counts[0]; w++) {
                prepare();
                fails_with[places[p]] = codes[c];
                CHECK_EQUAL(map(MANY, 0, worker_counts[w], 0), PAR_EITEM);
                CHECK_EQUAL(report.first_failed, places[p]);
                CHECK_EQUAL(report.first.code, codes[c]);
                CHECK_TEXT(report.message, "par_map: ");
            }
}

static void with_keep_going_all_other_items_run(void)
{
    static const size_t places[] = {0, MANY / 2, MANY - 1};
    for (size_t p = 0; p < 3; p++)
        for (size_t w = 0; w < sizeof worker_counts / sizeof worker_counts[0]; w++) {
            prepare();
            fails_with[places[p]] = 5;
            CHECK_EQUAL(map(MANY, PAR_KEEP_GOING, worker_counts[w], 0), PAR_EITEM);
            CHECK_EQUAL(report.done, MANY);
            CHECK_EQUAL(report.failed, 1);
        }
}

static void many_items_that_fail_are_all_told_with_keep_going(void)
{
    prepare();
    for (int i = 17; i < MANY; i += 3)
        fails_with[i] = i;
    CHECK_EQUAL(map(MANY, PAR_KEEP_GOING, 4, 0), PAR_EITEM);
    CHECK_EQUAL(report.done, MANY);
    CHECK_EQUAL(report.failed, (MANY - 17 + 2) / 3);
    CHECK_EQUAL(report.first_failed, 17);
}

static void when_all_items_fail_at_once_some_failure_is_told(void)
{
    prepare();
    for (int i = 0; i < MANY; i++)
        fails_with[i] = i + 1;
    CHECK_EQUAL(map(MANY, 0, 4, 0), PAR_EITEM);
    CHECK(report.failed >= 1);

    prepare();
    for (int i = 0; i < MANY; i++)
        fails_with[i] = i + 1;
    CHECK_EQUAL(map(MANY, PAR_KEEP_GOING, 4, 0), PAR_EITEM);
    CHECK_EQUAL(report.failed, MANY);
    CHECK_EQUAL(report.first_failed, 0);
}

static void after_a_failure_one_worker_starts_nothing_more(void)
{
    static const size_t choices[] = {0, 1, 64};
    for (size_t g = 0; g < 3; g++) {
        prepare();
        fails_with[10] = 3;
        CHECK_EQUAL(map(MANY, 0, 1, choices[g]), PAR_EITEM);
        CHECK_EQUAL(report.done, 11);
    }
}

/* The first item fails at once; each other one waits until that has happened, then takes a millisecond. */
static int slow(const void *item, void *result, void *ctx)
{
    if (*(const int *)item != 0) {
        CHECK(reaches(&times_run[0], 1));
        sleep_ms(1);
    }
    return work(item, result, ctx);
}

static void after_a_failure_other_workers_stop_soon(void)
{
    par_options options = reporting_to(&report);
    prepare();
    fails_with[0] = 3;
    options.workers = 4;
    options.grain = 1;
    options.items = items;
    CHECK_EQUAL(par_map(slow, NULL, in, sizeof in[0], out, sizeof out[0], MANY, &options), PAR_EITEM);
    check_story(MANY);
    CHECK(report.done < MANY);
}

static size_t ranges_begin[MANY], ranges_end[MANY];
static int range_count;

/* Fails the ranges that hold the items that `fails_with` names. */
static int run_range(size_t begin, size_t end, void *ctx)
{
    int number = ADD(range_count, 1) - 1, code = 0;
    (void)ctx;
    CHECK(begin < end && end <= MANY && number < MANY);
    ranges_begin[number] = begin;
    ranges_end[number] = end;
    for (size_t i = begin; i < end; i++) {
        ADD(times_run[i], 1);
        if (fails_with[i])
            code = fails_with[i];
    }
    return code;
}

static void ranges_cover_every_item_once_and_are_no_smaller_than_the_grain(void)
{
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++)
        for (size_t w = 0; w < sizeof worker_counts / sizeof worker_counts[0]; w++)
            for (size_t g = 0; g < sizeof grains / sizeof grains[0]; g++) {
                par_options options = reporting_to(&report);
                prepare();
                range_count = 0;
                options.workers = worker_counts[w];
                options.grain = grains[g];
                options.items = items;
                CHECK_EQUAL(par_for(run_range, NULL, lengths[l], &options), PAR_OK);
                CHECK_EQUAL(report.done, lengths[l]);
                for (size_t i = 0; i < lengths[l]; i++) {
                    CHECK_EQUAL(times_run[i], 1);
                    CHECK_EQUAL(items[i].state, PAR_ITEM_OK);
                }
                for (int r = 0; r < range_count; r++)
                    CHECK(ranges_end[r] == lengths[l] || ranges_end[r] - ranges_begin[r] >= grains[g]);
            }
}

static void a_range_that_fails_marks_all_its_items(void)
{
    for (size_t w = 0; w < sizeof worker_counts / sizeof worker_counts[0]; w++) {
        par_options options = reporting_to(&report);
        size_t failed = 0, first = SIZE_MAX;
        prepare();
        range_count = 0;
        fails_with[700] = 7;
        fails_with[2500] = 8;
        options.flags = PAR_KEEP_GOING;
        options.workers = worker_counts[w];
        options.grain = 16;
        options.items = items;
        CHECK_EQUAL(par_for(run_range, NULL, MANY, &options), PAR_EITEM);
        for (int r = 0; r < range_count; r++) {
            size_t begin = ranges_begin[r], end = ranges_end[r];
            int code = begin <= 2500 && 2500 < end ? 8 : begin <= 700 && 700 < end ? 7 : 0;
            for (size_t i = begin; i < end; i++) {
                CHECK_EQUAL(items[i].state, code ? PAR_ITEM_FAILED : PAR_ITEM_OK);
                CHECK_EQUAL(items[i].code, code);
            }
            if (code) {
                failed += end - begin;
                if (begin < first)
                    first = begin;
            }
        }
        CHECK(failed >= 32);
        CHECK_EQUAL(report.done, MANY);
        CHECK_EQUAL(report.failed, failed);
        CHECK_EQUAL(report.first_failed, first);
    }
}

/* The result of "abc" is "abcabcabc", of "" is nothing; "!" fails. */
static int three_times(const void *item, size_t len, par_bytes *result, void *ctx)
{
    (void)ctx;
    if (len == 1 && *(const char *)item == '!')
        return 33;
    CHECK_EQUAL(par_bytes_resize(result, 3 * len), PAR_OK);
    for (size_t i = 0; i < 3 && len > 0; i++)
        memcpy((char *)result->data + i * len, item, len);
    return 0;
}

static void results_of_any_length_come_back_and_can_be_used_again(void)
{
    static char text[MANY];
    static par_bytes names[MANY], results[MANY];
    memset(text, 'x', sizeof text);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < MANY; i++) {
            names[i].data = i % 5 ? text : NULL;
            names[i].len = i % 5 ? (i * 7 + round) % 200 : 0;
        }
        CHECK_EQUAL(par_map_bytes(three_times, NULL, names, results, MANY, NULL), PAR_OK);
        for (size_t i = 0; i < MANY; i++) {
            CHECK_EQUAL(results[i].len, 3 * names[i].len);
            CHECK(results[i].len == 0 || memcmp(results[i].data, text, results[i].len) == 0);
        }
    }
    par_bytes_free(results, MANY);
}

static void a_byte_string_that_fails_is_told_like_any_item(void)
{
    static char word[] = "word", wrong[] = "!";
    par_bytes names[40], results[40];
    par_options options = reporting_to(&report);
    memset(results, 0, sizeof results);
    for (size_t i = 0; i < 40; i++) {
        names[i].data = i == 23 ? wrong : word;
        names[i].len = i == 23 ? 1 : 4;
    }
    options.flags = PAR_KEEP_GOING;
    options.items = items;
    CHECK_EQUAL(par_map_bytes(three_times, NULL, names, results, 40, &options), PAR_EITEM);
    for (size_t i = 0; i < 40; i++) {
        CHECK_EQUAL(items[i].state, i == 23 ? PAR_ITEM_FAILED : PAR_ITEM_OK);
        CHECK_EQUAL(items[i].code, i == 23 ? 33 : 0);
        CHECK(i == 23 || (results[i].len == 12 && memcmp(results[i].data, "wordwordword", 12) == 0));
    }
    CHECK_EQUAL(report.first_failed, 23);
    par_bytes_free(results, 40);
}

static int add_to_context(const void *item, void *result, void *ctx)
{
    CHECK(result == NULL);
    ADD(*(int *)ctx, *(const int *)item);
    return 0;
}

static void an_items_context_is_passed_on_untouched(void)
{
    int sum = 0;
    prepare();
    CHECK_EQUAL(par_map(add_to_context, &sum, in, sizeof in[0], NULL, 0, 1000, NULL), PAR_OK);
    CHECK_EQUAL(sum, 999 * 1000 / 2);
}

static void a_report_tells_time_and_workers(void)
{
    prepare();
    CHECK_EQUAL(map(1000, 0, 1, 0), PAR_OK);
    CHECK_EQUAL(report.workers, 1);
    CHECK(report.wall_ns > 0);
    CHECK_EQUAL(report.os_error, 0);
    CHECK_EQUAL(report.reserved, 0);
}

const promise promises[] = {
    PROMISE(every_item_runs_once_whatever_the_number_of_items_workers_and_grain),
    PROMISE(an_item_that_fails_is_named_with_its_code_wherever_it_stands),
    PROMISE(with_keep_going_all_other_items_run),
    PROMISE(many_items_that_fail_are_all_told_with_keep_going),
    PROMISE(when_all_items_fail_at_once_some_failure_is_told),
    PROMISE(after_a_failure_one_worker_starts_nothing_more),
    PROMISE(after_a_failure_other_workers_stop_soon),
    PROMISE(ranges_cover_every_item_once_and_are_no_smaller_than_the_grain),
    PROMISE(a_range_that_fails_marks_all_its_items),
    PROMISE(results_of_any_length_come_back_and_can_be_used_again),
    PROMISE(a_byte_string_that_fails_is_told_like_any_item),
    PROMISE(an_items_context_is_passed_on_untouched),
    PROMISE(a_report_tells_time_and_workers),
    {NULL, NULL},
};

/* The meeting point: values, queues, handles. Every promise starts with names that nobody else uses. */
#define _POSIX_C_SOURCE 200809L
#include "sync.h"

#include <sys/time.h>

static void check_value(const par_bytes *value, const void *expected, size_t len)
{
    CHECK_EQUAL(value->len, len);
    CHECK(value->data != NULL);
    CHECK(memcmp(value->data, expected, len) == 0);
}

/* ---- values ------------------------------------------------------------------------------------------------------- */

static void what_is_set_is_what_one_gets(void)
{
    static char large[3 << 20];
    const char binary[] = "a\0b\r\n$5\r\n\xff";
    par_sync *sync = opened();
    par_bytes value = {NULL, 0};
    const char *key = fresh("value");

    CHECK_DONE(sync, par_sync_get(sync, key, &value));
    CHECK(value.data == NULL && value.len == 0);
    CHECK_DONE(sync, par_sync_set(sync, key, binary, sizeof binary));
    CHECK_DONE(sync, par_sync_get(sync, key, &value));
    check_value(&value, binary, sizeof binary);
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 2654435761u >> 7);
    CHECK_DONE(sync, par_sync_set(sync, key, large, sizeof large));
    CHECK_DONE(sync, par_sync_get(sync, key, &value));
    check_value(&value, large, sizeof large);
    CHECK_DONE(sync, par_sync_set(sync, key, NULL, 0));
    CHECK_DONE(sync, par_sync_get(sync, key, &value));
    check_value(&value, "", 0);
    CHECK_DONE(sync, par_sync_delete(sync, key));
    CHECK_DONE(sync, par_sync_delete(sync, key));
    CHECK_DONE(sync, par_sync_get(sync, key, &value));
    CHECK(value.data == NULL && value.len == 0);
    CHECK_TEXT(par_sync_message(sync), "");
    par_bytes_free(&value, 1);
    par_sync_close(sync);
}

static void add_a_thousand_times(int index)
{
    par_sync *sync = opened();
    (void)index;
    for (int i = 0; i < 1000; i++)
        CHECK_DONE(sync, par_sync_add(sync, shared_name, 3, NULL));
    par_sync_close(sync);
}

static void additions_of_many_processes_are_all_counted(void)
{
    pid_t children[CHILDREN];
    int64_t now = 0;
    par_sync *sync = opened();
    shared_name = fresh("counter");
    CHECK_DONE(sync, par_sync_add(sync, shared_name, INT64_MIN, &now));
    CHECK_EQUAL(now, INT64_MIN);
    CHECK_DONE(sync, par_sync_delete(sync, shared_name));
    start(children, CHILDREN, add_a_thousand_times);
    joined(children, CHILDREN);
    CHECK_DONE(sync, par_sync_add(sync, shared_name, -1, &now));
    CHECK_EQUAL(now, CHILDREN * 3000 - 1);
    CHECK_DONE(sync, par_sync_delete(sync, shared_name));
    par_sync_close(sync);
}

static void a_key_of_another_kind_is_refused_and_the_handle_serves_on(void)
{
    par_sync *sync = opened();
    par_bytes value = {NULL, 0};
    const char *key = fresh("kind");
    int64_t now = 7;

    CHECK_DONE(sync, par_sync_set(sync, key, "text", 4));
    CHECK_FAILS(sync, par_sync_add(sync, key, 1, &now), PAR_EINVAL, "par_sync_add: the server refuses: ERR value is not an integer");
    CHECK_EQUAL(now, 7);
    CHECK_FAILS(sync, par_sync_push(sync, key, "x", 1), PAR_EINVAL, "WRONGTYPE");
    CHECK_FAILS(sync, par_sync_pop(sync, key, &value, SHORT_MS), PAR_EINVAL, "WRONGTYPE");
    CHECK_FAILS(sync, par_sync_pop(sync, key, &value, 0), PAR_EINVAL, "WRONGTYPE");
    CHECK_DONE(sync, par_sync_set(sync, key, "9223372036854775807", 19));
    CHECK_FAILS(sync, par_sync_add(sync, key, 1, &now), PAR_EINVAL, "overflow");
    CHECK_DONE(sync, par_sync_delete(sync, key));
    CHECK_DONE(sync, par_sync_push(sync, key, "x", 1));
    CHECK_FAILS(sync, par_sync_get(sync, key, &value), PAR_EINVAL, "WRONGTYPE");
    CHECK(value.data == NULL);
    CHECK_DONE(sync, par_sync_delete(sync, key));
    par_sync_close(sync);
}

/* ---- queues ------------------------------------------------------------------------------------------------------- */

static void a_queue_gives_its_values_in_their_order(void)
{
    par_sync *sync = opened();
    par_bytes value = {NULL, 0};
    const char *queue = fresh("queue");

    CHECK_FAILS(sync, par_sync_pop(sync, queue, &value, 0), PAR_ETIMEDOUT, "is empty");
    for (int i = 0; i < 100; i++)
        CHECK_DONE(sync, par_sync_push(sync, queue, &i, sizeof i));
    CHECK_DONE(sync, par_sync_push(sync, queue, NULL, 0));
    for (int i = 0; i < 100; i++) {
        CHECK_DONE(sync, par_sync_pop(sync, queue, &value, i % 2 ? LONG_MS : 0));
        check_value(&value, &i, sizeof i);
    }
    CHECK_DONE(sync, par_sync_pop(sync, queue, &value, UINT64_MAX));
    check_value(&value, "", 0);
    par_bytes_free(&value, 1);
    par_sync_close(sync);
}

static void a_wait_for_a_value_ends_when_its_time_is_over(void)
{
    par_sync *sync = opened();
    par_bytes value = {NULL, 0};
    const char *queue = fresh("never");
    const uint64_t begin = now_ms();

    CHECK_FAILS(sync, par_sync_pop(sync, queue, &value, SHORT_MS), PAR_ETIMEDOUT, "nothing came into the queue 'never-");
    CHECK(now_ms() - begin >= SHORT_MS);
    CHECK(value.data == NULL && value.len == 0);
    par_sync_close(sync);
}

static int64_t *taken;

static void take_until_the_end(int index)
{
    par_sync *sync = opened();
    par_bytes value = {NULL, 0};
    (void)index;
    for (;;) {
        CHECK_DONE(sync, par_sync_pop(sync, shared_name, &value, UINT64_MAX));
        if (value.len == 0)
            break;
        ADD(taken[*(int *)value.data], 1);
    }
    par_bytes_free(&value, 1);
    par_sync_close(sync);
}

static void every_value_goes_to_one_of_those_who_wait(void)
{
    enum { VALUES = 2000 };
    pid_t children[CHILDREN];
    par_sync *sync = opened();
    shared_name = fresh("work");
    taken = par_shm_alloc(VALUES * sizeof *taken);
    CHECK(taken != NULL);
    start(children, CHILDREN, take_until_the_end);
    for (int i = 0; i < VALUES; i++)
        CHECK_DONE(sync, par_sync_push(sync, shared_name, &i, sizeof i));
    for (int i = 0; i < CHILDREN; i++)
        CHECK_DONE(sync, par_sync_push(sync, shared_name, NULL, 0));
    joined(children, CHILDREN);
    for (int i = 0; i < VALUES; i++)
        CHECK_EQUAL(taken[i], 1);
    par_sync_close(sync);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int number)
{
    (void)number;
    alarms++;
}

static void signals_do_not_end_a_wait(void)
{
    struct sigaction action;
    struct itimerval often = {{0, 5000}, {0, 5000}}, never = {{0, 0}, {0, 0}};
    par_sync *sync = opened();
    par_bytes value = {NULL, 0};
    const uint64_t begin = now_ms();

    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm;
    CHECK_EQUAL(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_EQUAL(setitimer(ITIMER_REAL, &often, NULL), 0);
    CHECK_FAILS(sync, par_sync_pop(sync, fresh("never"), &value, SHORT_MS), PAR_ETIMEDOUT, "nothing came");
    CHECK_EQUAL(setitimer(ITIMER_REAL, &never, NULL), 0);
    CHECK(now_ms() - begin >= SHORT_MS);
    CHECK(alarms > 0);
    par_sync_close(sync);
}

static int stop_after_three(void *asked)
{
    return ++*(int *)asked >= 3;
}

static void a_watched_wait_can_be_stopped_and_nothing_is_lost(void)
{
    par_sync *sync = opened(), *other = opened();
    par_bytes value = {NULL, 0};
    const char *queue = fresh("queue"), *lock = fresh("lock"), *barrier = fresh("barrier");
    int asked = 0;

    CHECK_DONE(sync, par_sync_watch(sync, stop_after_three, &asked, 20));
    CHECK_FAILS(sync, par_sync_pop(sync, queue, &value, UINT64_MAX), PAR_ECANCELED, "par_sync_pop: stopped by poll");
    CHECK_EQUAL(asked, 3);
    asked = 0;
    CHECK_FAILS(sync, par_sync_barrier(sync, barrier, 2, UINT64_MAX), PAR_ECANCELED, "par_sync_barrier: stopped by poll");
    CHECK_FAILS(other, par_sync_barrier(other, barrier, 2, 0), PAR_ETIMEDOUT, "1 of 2");
    CHECK_DONE(other, par_sync_lock(other, lock, LONG_MS, 0));
    asked = 0;
    CHECK_FAILS(sync, par_sync_lock(sync, lock, LONG_MS, UINT64_MAX), PAR_ECANCELED, "par_sync_lock: stopped by poll");
    CHECK_DONE(other, par_sync_unlock(other, lock));
    CHECK_DONE(sync, par_sync_watch(sync, NULL, NULL, 0));
    CHECK_DONE(sync, par_sync_lock(sync, lock, LONG_MS, 0));
    CHECK_DONE(sync, par_sync_unlock(sync, lock));
    CHECK_DONE(other, par_sync_push(other, queue, "x", 1));
    CHECK_DONE(sync, par_sync_pop(sync, queue, &value, LONG_MS));
    check_value(&value, "x", 1);
    par_bytes_free(&value, 1);
    par_sync_close(other);
    par_sync_close(sync);
}

/* ---- handles ------------------------------------------------------------------------------------------------------ */

static par_sync *inherited;

static void use_the_inherited_handle(int index)
{
    par_bytes value = {NULL, 0};
    (void)index;
    CHECK_FAILS(inherited, par_sync_set(inherited, "key", "x", 1), PAR_EINVAL, "opened before the process was forked");
    CHECK_FAILS(inherited, par_sync_get(inherited, "key", &value), PAR_EINVAL, "open one in the child");
    CHECK_FAILS(inherited, par_sync_unlock(inherited, "lock"), PAR_EINVAL, "forked");
    par_sync_close(inherited);
    par_sync_close(opened());
}

static void a_forked_child_is_told_to_open_its_own_and_leaves_its_parents_alone(void)
{
    pid_t child;
    inherited = opened();
    start(&child, 1, use_the_inherited_handle);
    joined(&child, 1);
    CHECK_DONE(inherited, par_sync_set(inherited, "key", "x", 1));
    CHECK_DONE(inherited, par_sync_delete(inherited, "key"));
    par_sync_close(inherited);
}

static void bad_arguments_are_answered_with_a_sentence(void)
{
    par_sync *sync = opened();
    par_bytes value = {NULL, 0};

    CHECK_EQUAL(par_sync_open(NULL, NULL), PAR_EINVAL);
    CHECK_EQUAL(par_sync_set(NULL, "key", "x", 1), PAR_EINVAL);
    CHECK_TEXT(par_sync_message(NULL), "sync is NULL");
    par_sync_close(NULL);
    CHECK_FAILS(sync, par_sync_set(sync, NULL, "x", 1), PAR_EINVAL, "par_sync_set: key is NULL");
    CHECK_FAILS(sync, par_sync_set(sync, "key", NULL, 1), PAR_EINVAL, "value is NULL but len is 1");
    CHECK_FAILS(sync, par_sync_set(sync, "key", "x", SIZE_MAX), PAR_EINVAL, "more than memory can hold");
    CHECK_FAILS(sync, par_sync_set(sync, "key", "x", (size_t)1 << 30), PAR_EINVAL, "at most 536870912 bytes");
    CHECK_FAILS(sync, par_sync_get(sync, NULL, &value), PAR_EINVAL, "par_sync_get: key is NULL");
    CHECK_FAILS(sync, par_sync_get(sync, "key", NULL), PAR_EINVAL, "value is NULL");
    CHECK_FAILS(sync, par_sync_delete(sync, NULL), PAR_EINVAL, "par_sync_delete: key is NULL");
    CHECK_FAILS(sync, par_sync_add(sync, NULL, 1, NULL), PAR_EINVAL, "par_sync_add: key is NULL");
    CHECK_FAILS(sync, par_sync_push(sync, NULL, "x", 1), PAR_EINVAL, "par_sync_push: queue is NULL");
    CHECK_FAILS(sync, par_sync_pop(sync, NULL, &value, 0), PAR_EINVAL, "par_sync_pop: queue is NULL");
    CHECK_FAILS(sync, par_sync_pop(sync, "queue", NULL, 0), PAR_EINVAL, "value is NULL");
    CHECK_FAILS(sync, par_sync_barrier(sync, NULL, 1, 0), PAR_EINVAL, "par_sync_barrier: name is NULL");
    CHECK_FAILS(sync, par_sync_barrier(sync, "name", 0, 0), PAR_EINVAL, "parties is 0");
    CHECK_FAILS(sync, par_sync_barrier(sync, "name", SIZE_MAX, 0), PAR_EINVAL, "parties is 18446744073709551615");
    CHECK_FAILS(sync, par_sync_lock(sync, NULL, 1, 0), PAR_EINVAL, "par_sync_lock: name is NULL");
    CHECK_FAILS(sync, par_sync_lock(sync, "name", 0, 0), PAR_EINVAL, "lease_ms is 0");
    CHECK_FAILS(sync, par_sync_unlock(sync, NULL), PAR_EINVAL, "par_sync_unlock: name is NULL");
    par_sync_close(sync);
}

const promise promises[] = {
    PROMISE(what_is_set_is_what_one_gets),
    PROMISE(additions_of_many_processes_are_all_counted),
    PROMISE(a_key_of_another_kind_is_refused_and_the_handle_serves_on),
    PROMISE(a_queue_gives_its_values_in_their_order),
    PROMISE(a_wait_for_a_value_ends_when_its_time_is_over),
    PROMISE(every_value_goes_to_one_of_those_who_wait),
    PROMISE(signals_do_not_end_a_wait),
    PROMISE(a_watched_wait_can_be_stopped_and_nothing_is_lost),
    PROMISE(a_forked_child_is_told_to_open_its_own_and_leaves_its_parents_alone),
    PROMISE(bad_arguments_are_answered_with_a_sentence),
    {NULL, NULL},
};

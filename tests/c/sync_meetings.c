/* The meeting point: barriers and locks, and parties that die. */
#define _POSIX_C_SOURCE 200809L
#include "sync.h"

static void killed(pid_t child)
{
    CHECK_EQUAL(kill(child, SIGKILL), 0);
    CHECK_EQUAL(waitpid(child, NULL, 0), child);
}

/* Waits until the children have counted up to `least`. */
static void wait_until(par_sync *sync, const char *counter, int64_t least)
{
    int64_t now = 0;
    for (int tries = 0; tries < 60000; tries++) {
        CHECK_DONE(sync, par_sync_add(sync, counter, 0, &now));
        if (now >= least)
            return;
        sleep_ms(1);
    }
    CHECK_EQUAL(now, least);
}

/* ---- barriers ----------------------------------------------------------------------------------------------------- */

#define MEETINGS 200
static int *came; /* how many came to each meeting */

static void meet_often(int index)
{
    par_sync *sync = opened();
    for (int i = 0; i < MEETINGS; i++) {
        if (i % 50 == index)
            sleep_ms(2);
        ADD(came[i], 1);
        CHECK_DONE(sync, par_sync_barrier(sync, shared_name, CHILDREN, i % 2 ? LONG_MS : UINT64_MAX));
        CHECK_EQUAL(LOAD(came[i]), CHILDREN);
    }
    par_sync_close(sync);
}

static void nobody_passes_a_barrier_before_all_have_come_however_often(void)
{
    pid_t children[CHILDREN];
    shared_name = fresh("barrier");
    came = par_shm_alloc(MEETINGS * sizeof *came);
    CHECK(came != NULL);
    start(children, CHILDREN, meet_often);
    joined(children, CHILDREN);
}

static void meet_once(int index)
{
    par_sync *sync = opened();
    (void)index;
    CHECK_DONE(sync, par_sync_barrier(sync, shared_name, 3, LONG_MS));
    par_sync_close(sync);
}

static void a_barrier_that_timed_out_says_how_many_came_and_serves_again(void)
{
    pid_t children[2];
    par_sync *sync = opened(), *second = opened();
    shared_name = fresh("barrier");

    CHECK_FAILS(sync, par_sync_barrier(sync, shared_name, 3, SHORT_MS), PAR_ETIMEDOUT,
                "par_sync_barrier: 1 of 3 parties came to 'barrier-");
    CHECK_FAILS(sync, par_sync_barrier(sync, shared_name, 3, 0), PAR_ETIMEDOUT, "1 of 3");
    CHECK_FAILS(second, par_sync_barrier(second, shared_name, 3, 0), PAR_ETIMEDOUT, "1 of 3");
    start(children, 2, meet_once);
    CHECK_DONE(sync, par_sync_barrier(sync, shared_name, 3, LONG_MS));
    joined(children, 2);
    start(children, 2, meet_once);
    sleep_ms(50);
    CHECK_DONE(second, par_sync_barrier(second, shared_name, 3, LONG_MS));
    joined(children, 2);
    CHECK_FAILS(sync, par_sync_barrier(sync, shared_name, 3, 1), PAR_ETIMEDOUT, "1 of 3");
    CHECK_DONE(sync, par_sync_barrier(sync, shared_name, 1, 0));
    par_sync_close(second);
    par_sync_close(sync);
}

static void give_up_soon(int index)
{
    par_sync *sync = opened();
    for (int i = 0; i < 40; i++) {
        const par_status status = par_sync_barrier(sync, shared_name, 2, (uint64_t)((i * 7 + index * 3) % 5));
        CHECK(status == PAR_OK || status == PAR_ETIMEDOUT);
        ADD(came[0], status == PAR_OK);
    }
    par_sync_close(sync);
}

static void parties_that_give_up_at_the_last_moment_leave_no_trace(void)
{
    pid_t children[CHILDREN];
    par_sync *sync = opened();
    shared_name = fresh("barrier");
    came = par_shm_alloc(sizeof *came);
    CHECK(came != NULL);
    start(children, CHILDREN, give_up_soon);
    joined(children, CHILDREN);
    CHECK_EQUAL(*came % 2, 0);
    CHECK_FAILS(sync, par_sync_barrier(sync, shared_name, 2, 0), PAR_ETIMEDOUT, "1 of 2");
    par_sync_close(sync);
}

static void wait_at_the_barrier(int index)
{
    par_sync *sync = opened();
    (void)index;
    CHECK_DONE(sync, par_sync_add(sync, "waiting", 1, NULL));
    par_sync_barrier(sync, shared_name, 3, UINT64_MAX);
    _exit(1);
}

static void a_party_that_is_killed_costs_the_others_a_timeout(void)
{
    pid_t child;
    par_sync *sync = opened();
    shared_name = fresh("barrier");
    CHECK_DONE(sync, par_sync_delete(sync, "waiting"));
    start(&child, 1, wait_at_the_barrier);
    wait_until(sync, "waiting", 1);
    sleep_ms(20);
    killed(child);
    CHECK_FAILS(sync, par_sync_barrier(sync, shared_name, 3, SHORT_MS), PAR_ETIMEDOUT, "of 3 parties came");
    par_sync_close(sync);
}

/* ---- locks -------------------------------------------------------------------------------------------------------- */

static void count_under_the_lock(int index)
{
    par_sync *sync = opened();
    (void)index;
    for (int i = 0; i < 100; i++) {
        CHECK_DONE(sync, par_sync_lock(sync, shared_name, LONG_MS, i % 2 ? LONG_MS : UINT64_MAX));
        const int before = LOAD(*came);
        if (i % 25 == 0)
            sleep_ms(1);
        STORE(*came, before + 1);
        CHECK_DONE(sync, par_sync_unlock(sync, shared_name));
    }
    par_sync_close(sync);
}

static void one_at_a_time_has_the_lock(void)
{
    pid_t children[CHILDREN];
    shared_name = fresh("lock");
    came = par_shm_alloc(sizeof *came);
    CHECK(came != NULL);
    start(children, CHILDREN, count_under_the_lock);
    joined(children, CHILDREN);
    CHECK_EQUAL(*came, CHILDREN * 100);
}

static void a_lock_that_another_has_is_waited_for_in_vain(void)
{
    par_sync *sync = opened(), *other = opened();
    const char *name = fresh("lock");
    uint64_t begin;

    CHECK_DONE(sync, par_sync_lock(sync, name, UINT64_MAX, 0));
    CHECK_FAILS(other, par_sync_lock(other, name, LONG_MS, 0), PAR_ETIMEDOUT, "was held by others");
    begin = now_ms();
    CHECK_FAILS(other, par_sync_lock(other, name, LONG_MS, SHORT_MS), PAR_ETIMEDOUT, "was held by others for 150 ms");
    CHECK(now_ms() - begin >= SHORT_MS);
    CHECK_FAILS(sync, par_sync_lock(sync, name, LONG_MS, 0), PAR_EINVAL, "it would wait for itself");
    CHECK_DONE(sync, par_sync_unlock(sync, name));
    CHECK_DONE(other, par_sync_lock(other, name, LONG_MS, 0));
    CHECK_DONE(other, par_sync_unlock(other, name));
    par_sync_close(other);
    par_sync_close(sync);
}

static void only_its_owner_can_unlock(void)
{
    par_sync *sync = opened(), *other = opened();
    const char *name = fresh("lock");

    CHECK_FAILS(other, par_sync_unlock(other, name), PAR_EINVAL, "does not hold");
    CHECK_DONE(sync, par_sync_lock(sync, name, LONG_MS, 0));
    CHECK_FAILS(other, par_sync_unlock(other, name), PAR_EINVAL, "does not hold");
    CHECK_FAILS(other, par_sync_lock(other, name, LONG_MS, 0), PAR_ETIMEDOUT, "was held");
    CHECK_DONE(sync, par_sync_unlock(sync, name));
    CHECK_FAILS(sync, par_sync_unlock(sync, name), PAR_EINVAL, "does not hold");
    par_sync_close(other);
    par_sync_close(sync);
}

static void a_lease_that_is_over_frees_the_lock_and_its_late_owner_is_told(void)
{
    par_sync *sync = opened(), *other = opened();
    const char *name = fresh("lock");

    CHECK_DONE(sync, par_sync_lock(sync, name, SHORT_MS, 0));
    CHECK_DONE(other, par_sync_lock(other, name, LONG_MS, LONG_MS));
    CHECK_FAILS(sync, par_sync_unlock(sync, name), PAR_ETIMEDOUT, "the lease of 150 ms");
    CHECK_FAILS(sync, par_sync_lock(sync, name, LONG_MS, 0), PAR_ETIMEDOUT, "was held by others");
    CHECK_DONE(other, par_sync_unlock(other, name));
    CHECK_DONE(sync, par_sync_lock(sync, name, 1, 0));
    sleep_ms(20);
    CHECK_FAILS(sync, par_sync_unlock(sync, name), PAR_ETIMEDOUT, "the lease of 1 ms");
    CHECK_DONE(sync, par_sync_lock(sync, name, 1, 0));
    sleep_ms(20);
    CHECK_DONE(sync, par_sync_lock(sync, name, LONG_MS, 0));
    CHECK_DONE(sync, par_sync_unlock(sync, name));
    par_sync_close(other);
    par_sync_close(sync);
}

static void hold_the_lock(int index)
{
    par_sync *sync = opened();
    (void)index;
    CHECK_DONE(sync, par_sync_lock(sync, shared_name, 600, LONG_MS));
    CHECK_DONE(sync, par_sync_add(sync, "holding", 1, NULL));
    sleep_ms(LONG_MS);
}

static void a_holder_that_is_killed_costs_the_others_its_lease(void)
{
    pid_t child;
    par_sync *sync = opened();
    shared_name = fresh("lock");
    CHECK_DONE(sync, par_sync_delete(sync, "holding"));
    start(&child, 1, hold_the_lock);
    wait_until(sync, "holding", 1);
    killed(child);
    CHECK_FAILS(sync, par_sync_lock(sync, shared_name, LONG_MS, 1), PAR_ETIMEDOUT, "was held by others");
    CHECK_DONE(sync, par_sync_lock(sync, shared_name, LONG_MS, LONG_MS));
    CHECK_DONE(sync, par_sync_unlock(sync, shared_name));
    par_sync_close(sync);
}

const promise promises[] = {
    PROMISE(nobody_passes_a_barrier_before_all_have_come_however_often),
    PROMISE(a_barrier_that_timed_out_says_how_many_came_and_serves_again),
    PROMISE(parties_that_give_up_at_the_last_moment_leave_no_trace),
    PROMISE(a_party_that_is_killed_costs_the_others_a_timeout),
    PROMISE(one_at_a_time_has_the_lock),
    PROMISE(a_lock_that_another_has_is_waited_for_in_vain),
    PROMISE(only_its_owner_can_unlock),
    PROMISE(a_lease_that_is_over_frees_the_lock_and_its_late_owner_is_told),
    PROMISE(a_holder_that_is_killed_costs_the_others_its_lease),
    {NULL, NULL},
};

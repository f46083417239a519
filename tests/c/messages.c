/* Messages between ranks. Every promise is kept by all ranks together. */
#define _POSIX_C_SOURCE 200809L
#include "promise.h"

#include <pthread.h>

static int rank, size, next, previous;

/* Every promise begins here: who am I? */
static void arrive(void)
{
    CHECK_EQUAL(par_mpi_init(), PAR_OK);
    rank = par_mpi_rank();
    size = par_mpi_size();
    next = (rank + 1) % size;
    previous = (rank + size - 1) % size;
}

static void check(par_status status)
{
    if (status != PAR_OK)
        broken(__FILE__, __LINE__, "rank %d: %s", rank, par_mpi_message());
}

#define CHECK_REFUSED(call, sentence) \
    do { \
        CHECK_EQUAL(call, PAR_EINVAL); \
        CHECK_TEXT(par_mpi_message(), sentence); \
    } while (0)

/* A pattern that tells length, sender and place. */
static unsigned char byte_at(size_t i, size_t len, int from)
{
    return (unsigned char)(i * 31 + i / 251 + len + (size_t)from * 7);
}

static unsigned char *message_of(size_t len)
{
    unsigned char *data = malloc(len + 1);
    CHECK(data != NULL);
    for (size_t i = 0; i < len; i++)
        data[i] = byte_at(i, len, rank);
    return data;
}

static void check_message(const par_bytes *message, size_t len, int from)
{
    CHECK_EQUAL(message->len, len);
    CHECK((message->data == NULL) == (len == 0));
    for (size_t i = 0; i < len; i++)
        if (((unsigned char *)message->data)[i] != byte_at(i, len, from))
            broken(__FILE__, __LINE__, "byte %zu of %zu from rank %d is wrong", i, len, from);
}

/* On both sides of where a message is announced, and as long as an announcement. */
static const size_t lengths[] = {0, 1, 7, 60, 61, 62, 4095, 4096, 4097, 65537, 1000000, 5000000};
#define LENGTHS (sizeof lengths / sizeof lengths[0])

static void a_message_arrives_whole_whatever_its_length(void)
{
    par_bytes message = {NULL, 0};
    arrive();
    for (size_t i = 0; i < LENGTHS; i++) {
        unsigned char *data = message_of(lengths[i]);
        if (rank == 0 || size == 1)
            check(par_mpi_send(data, lengths[i], next, 1));
        check(par_mpi_receive(&message, previous, 1, NULL, NULL));
        check_message(&message, lengths[i], previous);
        if (rank != 0)
            check(par_mpi_send(data, lengths[i], next, 1));
        free(data);
    }
    par_bytes_free(&message, 1);
}

static void a_rank_can_send_to_itself(void)
{
    par_bytes message = {NULL, 0};
    int from = -1, tag = -1;
    arrive();
    for (int i = 0; i < (int)LENGTHS; i++) {
        unsigned char *data = message_of(lengths[i]);
        check(par_mpi_send(data, lengths[i], rank, 10 + i));
        free(data);
    }
    for (int i = (int)LENGTHS - 1; i >= 0; i--) {
        check(par_mpi_receive(&message, i % 2 ? rank : PAR_MPI_ANY, 10 + i, &from, &tag));
        check_message(&message, lengths[i], rank);
        CHECK_EQUAL(from, rank);
        CHECK_EQUAL(tag, 10 + i);
    }
    par_bytes_free(&message, 1);
}

static void a_receiver_learns_who_sent_what(void)
{
    par_bytes message = {NULL, 0};
    arrive();
    if (rank != 0) {
        unsigned char *data = message_of((size_t)rank * 100);
        check(par_mpi_send(data, (size_t)rank * 100, 0, 100 + rank));
        free(data);
    } else {
        int heard = 0, from = -1, tag = -1;
        for (int i = 1; i < size; i++) {
            check(par_mpi_receive(&message, PAR_MPI_ANY, PAR_MPI_ANY, &from, &tag));
            CHECK_EQUAL(tag, 100 + from);
            check_message(&message, (size_t)from * 100, from);
            heard |= 1 << from;
        }
        CHECK_EQUAL(heard, (1 << size) - 2);
    }
    check(par_mpi_barrier()); /* or the next promise's messages would be taken for these */
    par_bytes_free(&message, 1);
}

static void messages_with_one_tag_keep_their_order_and_tags_tell_them_apart(void)
{
    par_bytes message = {NULL, 0};
    arrive();
    for (int i = 0; i < 200; i++)
        check(par_mpi_send(&i, sizeof i, next, i % 2));
    for (int tag = 1; tag >= 0; tag--) {
        for (int i = tag; i < 200; i += 2) {
            check(par_mpi_receive(&message, previous, tag, NULL, NULL));
            CHECK_EQUAL(*(int *)message.data, i);
        }
    }
    par_bytes_free(&message, 1);
}

static void a_message_comes_to_memory_of_the_callers_if_it_fits(void)
{
    char text[8] = "";
    size_t len = 0;
    int from = -1, tag = -1;
    arrive();
    check(par_mpi_send("seven..", 7, next, 3));
    check(par_mpi_receive_into(text, sizeof text, &len, previous, 3, &from, &tag));
    CHECK(len == 7 && from == previous && tag == 3 && memcmp(text, "seven..", 7) == 0);
    check(par_mpi_send("nine.....", 9, next, 3));
    CHECK_REFUSED(par_mpi_receive_into(text, sizeof text, &len, previous, 3, NULL, NULL), "has 9 bytes");
    CHECK_EQUAL(len, 9);
    check(par_mpi_send("again", 5, next, 3));
    check(par_mpi_receive_into(text, sizeof text, &len, previous, 3, NULL, NULL));
    CHECK_EQUAL(len, 5);
}

/* Room for many bytes is filled without a detour, by short messages, too. */
static void a_message_comes_to_large_memory_of_the_callers(void)
{
    static unsigned char room[5000000];
    arrive();
    for (size_t i = 0; i < LENGTHS; i++) {
        unsigned char *data = message_of(lengths[i]);
        par_bytes message = {lengths[i] ? room : NULL, 0};
        int from = -1, tag = -1;
        if (rank == 0 || size == 1)
            check(par_mpi_send(data, lengths[i], next, (int)i));
        check(par_mpi_receive_into(room, sizeof room, &message.len, PAR_MPI_ANY, PAR_MPI_ANY, &from, &tag));
        check_message(&message, lengths[i], previous);
        CHECK(from == previous && tag == (int)i);
        if (rank != 0)
            check(par_mpi_send(data, lengths[i], next, (int)i));
        free(data);
        check(par_mpi_barrier()); /* or a fast sender's next message would be another's */
    }
}

static void a_long_message_without_room_is_named_and_the_next_one_comes(void)
{
    char room[5000];
    unsigned char *data;
    size_t len = 0;
    arrive();
    data = message_of(1000000);
    for (int sends = 1; sends >= 0; sends--) { /* rank 0 first, so that a rank receives before it sends */
        if (sends == (rank == 0)) {
            check(par_mpi_send(data, 1000000, next, 6));
            check(par_mpi_send("next", 4, next, 6));
        }
        if (sends == (rank != 0)) {
            CHECK_REFUSED(par_mpi_receive_into(room, sizeof room, &len, previous, 6, NULL, NULL), "has 1000000 bytes");
            CHECK_EQUAL(len, 1000000);
            check(par_mpi_receive_into(room, sizeof room, &len, previous, 6, NULL, NULL));
            CHECK(len == 4 && memcmp(room, "next", 4) == 0);
        }
    }
    free(data);
}

static int end_the_wait(void *ctx)
{
    (void)ctx;
    return 1;
}

static void a_wait_that_the_host_ends_takes_no_message(void)
{
    static char room[10000];
    par_bytes message = {NULL, 0};
    size_t len = 0;
    arrive();
    if (rank == 0 && size > 1) {
        par_mpi_while_waiting(end_the_wait, NULL);
        for (int turn = 0; turn < 10; turn++) {
            CHECK_EQUAL(par_mpi_receive(&message, PAR_MPI_ANY, PAR_MPI_ANY, NULL, NULL), PAR_ECANCELED);
            CHECK_EQUAL(par_mpi_receive_into(room, sizeof room, &len, 1, 9, NULL, NULL), PAR_ECANCELED);
        }
        par_mpi_while_waiting(NULL, NULL);
    }
    check(par_mpi_barrier());
    if (rank == 1)
        check(par_mpi_send("kept", 4, 0, 9));
    if (rank == 0 && size > 1) {
        check(par_mpi_receive(&message, 1, 9, NULL, NULL));
        CHECK(message.len == 4 && memcmp(message.data, "kept", 4) == 0);
    }
    par_bytes_free(&message, 1);
}

static void broadcast_scatter_and_gather_move_everyones_bytes(void)
{
    arrive();
    for (size_t i = 0; i < LENGTHS; i++) {
        size_t len = lengths[i];
        unsigned char *mine = message_of(len), *all = malloc(len * (size_t)size + 1);
        par_bytes part = {mine, len};
        CHECK(all != NULL);
        for (int root = 0; root < size; root += size > 1 ? size - 1 : 1) {
            check(par_mpi_gather(mine, all, len, root));
            for (int from = 0; rank == root && from < size; from++) {
                par_bytes theirs = {len ? all + len * (size_t)from : NULL, len};
                check_message(&theirs, len, from);
            }
            memset(mine, 0, len);
            check(par_mpi_scatter(all, mine, len, root));
            part.data = len ? mine : NULL;
            check_message(&part, len, rank);
            check(par_mpi_broadcast(mine, len, root));
            check_message(&part, len, root);
            for (size_t k = 0; k < len; k++)
                mine[k] = byte_at(k, len, rank);
        }
        free(mine);
        free(all);
    }
}

static void nothing_at_all_may_be_at_null(void)
{
    arrive();
    for (int root = 0; root < size; root++) {
        check(par_mpi_broadcast(NULL, 0, root));
        check(par_mpi_scatter(NULL, NULL, 0, root));
        check(par_mpi_gather(NULL, NULL, 0, root));
        check(par_mpi_reduce(NULL, NULL, 0, PAR_INT32, PAR_SUM, root));
    }
}

/* Each type is reduced as C would. */
#define REDUCES(type, name, op, expected) \
    do { \
        type in[3] = {(type)(rank + 1), (type)2, (type)(size - rank)}, out[3] = {0, 0, 0}; \
        check(par_mpi_reduce(in, out, 3, name, op, size - 1)); \
        if (rank == size - 1) \
            CHECK_EQUAL(out[0], expected); \
    } while (0)

static void every_type_is_reduced_by_every_operation_it_has(void)
{
    int sum = 0, product = 1, or = 0, xor = 0, and = -1;
    arrive();
    for (int i = 1; i <= size; i++) {
        sum += i;
        product *= i;
        or |= i;
        xor ^= i;
        and &= i;
    }
#define ARITHMETIC(type, name) \
    REDUCES(type, name, PAR_SUM, sum); \
    REDUCES(type, name, PAR_PROD, product); \
    REDUCES(type, name, PAR_MIN, 1); \
    REDUCES(type, name, PAR_MAX, size)
#define BITWISE(type, name) \
    REDUCES(type, name, PAR_BAND, and); \
    REDUCES(type, name, PAR_BOR, or); \
    REDUCES(type, name, PAR_BXOR, xor)
    ARITHMETIC(int8_t, PAR_INT8);
    ARITHMETIC(uint8_t, PAR_UINT8);
    ARITHMETIC(int32_t, PAR_INT32);
    ARITHMETIC(uint32_t, PAR_UINT32);
    ARITHMETIC(int64_t, PAR_INT64);
    ARITHMETIC(uint64_t, PAR_UINT64);
    ARITHMETIC(float, PAR_FLOAT);
    ARITHMETIC(double, PAR_DOUBLE);
    BITWISE(int8_t, PAR_INT8);
    BITWISE(uint8_t, PAR_UINT8);
    BITWISE(int32_t, PAR_INT32);
    BITWISE(uint32_t, PAR_UINT32);
    BITWISE(int64_t, PAR_INT64);
    BITWISE(uint64_t, PAR_UINT64);
    double place[2] = {rank + 0.5, -rank};
    check(par_mpi_reduce(place, place, 2, PAR_DOUBLE, PAR_MAX, 0));
    if (rank == 0)
        CHECK(place[0] == size - 0.5 && place[1] == 0);
}

static void bad_arguments_are_refused_in_a_sentence(void)
{
    par_bytes message = {NULL, 0};
    char byte = 0;
    arrive();
    CHECK_REFUSED(par_mpi_send(&byte, 1, size, 0), "par_mpi_send: destination is ");
    CHECK_REFUSED(par_mpi_send(&byte, 1, -1, 0), "destination is -1");
    CHECK_REFUSED(par_mpi_send(&byte, 1, 0, -5), "tag is -5");
    CHECK_REFUSED(par_mpi_send(&byte, 1, 0, 32768), "tag is 32768");
    CHECK_REFUSED(par_mpi_send(NULL, 1, 0, 0), "data is NULL");
    CHECK_REFUSED(par_mpi_receive(NULL, 0, 0, NULL, NULL), "message is NULL");
    CHECK_REFUSED(par_mpi_receive(&message, -7, 0, NULL, NULL), "source is -7");
    CHECK_REFUSED(par_mpi_receive(&message, 0, -2, NULL, NULL), "tag is -2");
    CHECK_REFUSED(par_mpi_receive(&message, 0, 32768, NULL, NULL), "tag is 32768");
    CHECK_REFUSED(par_mpi_broadcast(&byte, 1, size), "root is ");
    CHECK_REFUSED(par_mpi_scatter(&byte, NULL, 1, 0), "mine is NULL");
    CHECK_REFUSED(par_mpi_reduce(&byte, &byte, 1, 9, PAR_SUM, 0), "type is 9");
    CHECK_REFUSED(par_mpi_reduce(&byte, &byte, 1, PAR_INT8, 8, 0), "op is 8");
    CHECK_REFUSED(par_mpi_reduce(&byte, &byte, 1, PAR_FLOAT, PAR_BAND, 0), "for integers");
    CHECK_REFUSED(par_mpi_processor_name(NULL, 10), "no room");
    CHECK_EQUAL(par_mpi_receive(&message, rank, 77, NULL, NULL), PAR_EMPI);
    CHECK_TEXT(par_mpi_message(), "would wait for ever");
}

static void everyone_knows_its_machine_its_library_and_the_time(void)
{
    char name[256] = "", cut[3] = "??";
    arrive();
    check(par_mpi_processor_name(name, sizeof name));
    CHECK(strlen(name) > 0);
    check(par_mpi_processor_name(cut, sizeof cut));
    CHECK(strlen(cut) <= 2 && strncmp(cut, name, strlen(cut)) == 0);
    CHECK(size == 1 || strcmp(par_mpi_library(), "none") != 0);
    double start = par_mpi_wtime();
    sleep_ms(2);
    double passed = par_mpi_wtime() - start;
    CHECK(passed >= 0.002 && passed < 60);
}

static void call_in_a_child(void)
{
    CHECK_EQUAL(par_mpi_rank(), rank);
    CHECK_EQUAL(par_mpi_barrier(), PAR_EMPI);
    CHECK_TEXT(par_mpi_message(), "forked from rank");
}

static void a_forked_child_of_a_rank_is_refused(void)
{
    arrive();
    if (size > 1)
        in_a_child(call_in_a_child);
    check(par_mpi_barrier());
}

static int waits;

static void *call_too(void *ctx)
{
    (void)ctx;
    CHECK(reaches(&waits, 1));
    sleep_ms(50);
    CHECK_EQUAL(par_mpi_barrier(), PAR_EMPI);
    CHECK_TEXT(par_mpi_message(), "one thread at a time");
    return NULL;
}

static void a_second_thread_is_refused_while_one_waits(void)
{
    par_bytes message = {NULL, 0};
    pthread_t thread;
    arrive();
    if (rank == 0 && size > 1) {
        STORE(waits, 0);
        CHECK_EQUAL(pthread_create(&thread, NULL, call_too, NULL), 0);
        STORE(waits, 1);
        check(par_mpi_receive(&message, 1, 4, NULL, NULL));
        CHECK_EQUAL(pthread_join(thread, NULL), 0);
    } else if (rank == 1) {
        sleep_ms(300);
        check(par_mpi_send("now", 3, 0, 4));
    }
    par_bytes_free(&message, 1);
}

const promise promises[] = {
    PROMISE(a_message_arrives_whole_whatever_its_length),
    PROMISE(a_rank_can_send_to_itself),
    PROMISE(a_receiver_learns_who_sent_what),
    PROMISE(messages_with_one_tag_keep_their_order_and_tags_tell_them_apart),
    PROMISE(a_message_comes_to_memory_of_the_callers_if_it_fits),
    PROMISE(a_message_comes_to_large_memory_of_the_callers),
    PROMISE(a_long_message_without_room_is_named_and_the_next_one_comes),
    PROMISE(a_wait_that_the_host_ends_takes_no_message),
    PROMISE(broadcast_scatter_and_gather_move_everyones_bytes),
    PROMISE(nothing_at_all_may_be_at_null),
    PROMISE(every_type_is_reduced_by_every_operation_it_has),
    PROMISE(bad_arguments_are_refused_in_a_sentence),
    PROMISE(everyone_knows_its_machine_its_library_and_the_time),
    PROMISE(a_forked_child_of_a_rank_is_refused),
    PROMISE(a_second_thread_is_refused_while_one_waits),
    {NULL, NULL},
};

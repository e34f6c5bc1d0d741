#include "startmethods.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

static int open_descriptors(void)
{
    int count = 0;
    for (int i = 0; i < 1024; i++)
        count += fcntl(i, F_GETFD) >= 0;
    return count;
}

static sm_message message(void *bytes, uint64_t length, int32_t *descriptors, int32_t count, uint32_t flags)
{
    sm_message m = {.size = sizeof m, .descriptor_count = count, .first = bytes, .first_length = length, .descriptors = descriptors, .flags = flags};
    return m;
}

static void a_pair_is_close_on_exec_and_carries_bytes_both_ways(void)
{
    int32_t ends[2];
    char buffer[8] = {0};
    CHECK_EQUAL(0, sm_channel_pair(ends));
    CHECK_EQUAL(FD_CLOEXEC, fcntl(ends[0], F_GETFD));
    CHECK_EQUAL(1, sm_channel_is_socket(ends[1]));
    sm_message out = message("ping", 4, NULL, 0, 0), in = message(buffer, 4, NULL, 0, SM_MESSAGE_WAIT_ALL);
    CHECK_EQUAL(4, sm_channel_send(ends[1], &out));
    CHECK_EQUAL(4, sm_channel_receive(ends[0], &in));
    CHECK(memcmp(buffer, "ping", 4) == 0);
}

static void two_parts_arrive_as_one(void)
{
    int32_t ends[2];
    char first[3] = {0}, second[4] = {0};
    sm_channel_pair(ends);
    sm_message out = message("abc", 3, NULL, 0, 0);
    out.second = "defg", out.second_length = 4;
    CHECK_EQUAL(7, sm_channel_send(ends[0], &out));
    sm_message in = message(first, 3, NULL, 0, SM_MESSAGE_WAIT_ALL);
    in.second = second, in.second_length = 4;
    CHECK_EQUAL(7, sm_channel_receive(ends[1], &in));
    CHECK(memcmp(first, "abc", 3) == 0 && memcmp(second, "defg", 4) == 0);
}

static void descriptors_arrive_close_on_exec_and_usable(void)
{
    int32_t ends[2], files[2], received[4];
    char byte;
    sm_channel_pair(ends);
    CHECK_EQUAL(0, pipe(files));
    sm_message out = message("x", 1, files, 2, 0), in = message(&byte, 1, received, 4, 0);
    CHECK_EQUAL(1, sm_channel_send(ends[0], &out));
    CHECK_EQUAL(1, sm_channel_receive(ends[1], &in));
    CHECK_EQUAL(2, in.descriptor_count);
    CHECK_EQUAL(0, in.flags & SM_MESSAGE_SURPLUS);
    CHECK_EQUAL(FD_CLOEXEC, fcntl(received[0], F_GETFD));
    CHECK_EQUAL(1, write(received[1], "y", 1));
    CHECK_EQUAL(1, read(received[0], &byte, 1));
    CHECK_EQUAL('y', byte);
}

static void surplus_descriptors_are_closed_and_told(void)
{
    int32_t ends[2], files[3] = {0, 1, 2}, received[1];
    char byte;
    sm_channel_pair(ends);
    int before = open_descriptors();
    sm_message out = message("x", 1, files, 3, 0), in = message(&byte, 1, received, 1, 0);
    CHECK_EQUAL(1, sm_channel_send(ends[0], &out));
    CHECK_EQUAL(1, sm_channel_receive(ends[1], &in));
    CHECK_EQUAL(1, in.descriptor_count);
    CHECK(in.flags & SM_MESSAGE_SURPLUS);
    CHECK_EQUAL(before + 1, open_descriptors());
}

static void descriptors_where_none_are_expected_are_closed_and_told(void)
{
    int32_t ends[2], files[1] = {0};
    char byte;
    sm_channel_pair(ends);
    int before = open_descriptors();
    sm_message out = message("x", 1, files, 1, 0), in = message(&byte, 1, NULL, 0, 0);
    CHECK_EQUAL(1, sm_channel_send(ends[0], &out));
    CHECK_EQUAL(1, sm_channel_receive(ends[1], &in));
    CHECK(in.flags & SM_MESSAGE_SURPLUS);
    CHECK_EQUAL(before, open_descriptors());
}

static void the_most_descriptors_fit_and_one_more_is_an_argument_error(void)
{
    int32_t ends[2], files[SM_MAX_DESCRIPTORS + 1], received[SM_MAX_DESCRIPTORS];
    char byte;
    sm_channel_pair(ends);
    for (int i = 0; i <= SM_MAX_DESCRIPTORS; i++)
        files[i] = 0;
    sm_message out = message("x", 1, files, SM_MAX_DESCRIPTORS + 1, 0);
    CHECK_EQUAL(-EINVAL, sm_channel_send(ends[0], &out));
    out.descriptor_count = SM_MAX_DESCRIPTORS;
    CHECK_EQUAL(1, sm_channel_send(ends[0], &out));
    sm_message in = message(&byte, 1, received, SM_MAX_DESCRIPTORS, 0);
    CHECK_EQUAL(1, sm_channel_receive(ends[1], &in));
    CHECK_EQUAL(SM_MAX_DESCRIPTORS, in.descriptor_count);
}

static void a_reader_that_is_gone_is_an_error_and_not_a_signal(void)
{
    int32_t ends[2];
    sm_channel_pair(ends);
    signal(SIGPIPE, SIG_DFL);
    close(ends[1]);
    sm_message out = message("x", 1, NULL, 0, 0);
    CHECK_EQUAL(-EPIPE, sm_channel_send(ends[0], &out));
}

static void without_waiting_an_empty_channel_says_so_and_a_closed_one_ends(void)
{
    int32_t ends[2];
    char byte;
    sm_channel_pair(ends);
    sm_message in = message(&byte, 1, NULL, 0, SM_MESSAGE_DONT_WAIT);
    CHECK_EQUAL(-EAGAIN, sm_channel_receive(ends[0], &in));
    close(ends[1]);
    CHECK_EQUAL(0, sm_channel_receive(ends[0], &in));
}

static void a_closed_number_is_no_socket(void)
{
    CHECK_EQUAL(-EBADF, sm_channel_is_socket(987));
    int files[2];
    CHECK_EQUAL(0, pipe(files));
    CHECK_EQUAL(0, sm_channel_is_socket(files[0]));
    CHECK_EQUAL(0, sm_set_close_on_exec(files[0], 1));
    CHECK_EQUAL(FD_CLOEXEC, fcntl(files[0], F_GETFD));
}

static void a_relay_moves_what_is_there_and_never_waits(void)
{
    int from[2], to[2];
    uint8_t buffer[100], copy[100];
    CHECK_EQUAL(0, pipe(from));
    CHECK_EQUAL(0, pipe(to));
    CHECK_EQUAL(-EAGAIN, sm_relay(from[0], to[1], buffer, sizeof buffer));
    CHECK_EQUAL(5, write(from[1], "hello", 5));
    CHECK_EQUAL(5, sm_relay(from[0], to[1], buffer, sizeof buffer));
    CHECK_EQUAL(5, read(to[0], copy, sizeof copy));
    CHECK(memcmp(copy, "hello", 5) == 0 && memcmp(buffer, "hello", 5) == 0);
    static char flood[65536];
    CHECK_EQUAL(sizeof flood, write(to[1], flood, sizeof flood));
    CHECK_EQUAL(5, write(from[1], "again", 5));
    CHECK_EQUAL(-EBUSY, sm_relay(from[0], to[1], buffer, sizeof buffer));
    CHECK_EQUAL(5, sm_relay(from[0], -1, buffer, sizeof buffer));
    close(from[1]);
    CHECK_EQUAL(0, sm_relay(from[0], -1, buffer, sizeof buffer));
}

static void a_timer_becomes_readable_when_its_time_is_over(void)
{
    int32_t now = sm_timer_create(0), later = sm_timer_create(60000);
    CHECK(now >= 0 && later >= 0);
    struct pollfd both[2] = {{now, POLLIN, 0}, {later, POLLIN, 0}};
    CHECK_EQUAL(1, poll(both, 2, 5000));
    CHECK_EQUAL(POLLIN, both[0].revents);
    CHECK_EQUAL(FD_CLOEXEC, fcntl(sm_channel_duplicate(now), F_GETFD));
    CHECK_EQUAL(0, sm_timer_arm(now, -1));
    CHECK_EQUAL(0, sm_timer_arm(later, 1));
    CHECK_EQUAL(1, poll(both, 2, 5000));
    CHECK_EQUAL(0, both[0].revents);
    CHECK_EQUAL(POLLIN, both[1].revents);
    CHECK_EQUAL(-EBADF, sm_timer_arm(-1, 1));
}

static void the_environment_is_changed_for_native_code(void)
{
    CHECK_EQUAL(0, sm_environment_set("SM_TEST", "1"));
    CHECK(strcmp(getenv("SM_TEST"), "1") == 0);
    CHECK_EQUAL(0, sm_environment_set("SM_TEST", NULL));
    CHECK(getenv("SM_TEST") == NULL);
}

int main(void)
{
    static const sm_test_case cases[] = {
        CASE(a_pair_is_close_on_exec_and_carries_bytes_both_ways), CASE(two_parts_arrive_as_one),
        CASE(descriptors_arrive_close_on_exec_and_usable), CASE(surplus_descriptors_are_closed_and_told),
        CASE(descriptors_where_none_are_expected_are_closed_and_told), CASE(the_most_descriptors_fit_and_one_more_is_an_argument_error),
        CASE(a_reader_that_is_gone_is_an_error_and_not_a_signal), CASE(without_waiting_an_empty_channel_says_so_and_a_closed_one_ends),
        CASE(a_closed_number_is_no_socket), CASE(a_timer_becomes_readable_when_its_time_is_over),
        CASE(a_relay_moves_what_is_there_and_never_waits),
        CASE(the_environment_is_changed_for_native_code),
    };
    return sm_run_tests(cases, sizeof cases / sizeof *cases);
}

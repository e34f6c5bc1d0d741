#include "startmethods.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

static sm_circumstances empty(void)
{
    sm_circumstances c = {.size = sizeof c, .directory = -1, .standard = {-1, -1, -1}};
    return c;
}

static void the_mask_and_the_limits_of_this_process_are_taken(void)
{
    sm_circumstances taken = empty();
    struct rlimit limit;
    umask(0137);
    CHECK_EQUAL(0, sm_circumstances_take(NULL, &taken));
    CHECK_EQUAL(0137, taken.mask);
    getrlimit(RLIMIT_NOFILE, &limit);
    CHECK_EQUAL(limit.rlim_cur, taken.limits[RLIMIT_NOFILE].soft);
    CHECK_EQUAL(limit.rlim_max, taken.limits[RLIMIT_NOFILE].hard);
    CHECK_EQUAL(FD_CLOEXEC, fcntl(taken.directory, F_GETFD));
}

static void what_was_taken_can_become_that_of_another_process(void)
{
    sm_circumstances taken = empty();
    uint32_t step = 0;
    char text[64];
    int ends[2];
    umask(027);
    CHECK_EQUAL(0, sm_circumstances_take("/usr", &taken));
    taken.limits[RLIMIT_CORE].soft = 0;
    CHECK_EQUAL(0, pipe(ends));
    taken.standard[0] = ends[0];
    umask(0);
    CHECK_EQUAL(0, chdir("/"));
    CHECK_EQUAL(0, sm_circumstances_become(&taken, &step));
    CHECK(getcwd(text, sizeof text) != NULL && strcmp(text, "/usr") == 0);
    CHECK_EQUAL(027, umask(0));
    struct rlimit limit;
    getrlimit(RLIMIT_CORE, &limit);
    CHECK_EQUAL(0, limit.rlim_cur);
    CHECK_EQUAL(1, write(ends[1], "x", 1));
    CHECK_EQUAL(1, read(0, text, 1));
    CHECK_EQUAL(0, fcntl(0, F_GETFD));
}

static void a_directory_that_was_deleted_can_still_be_given_on(void)
{
    char name[] = "/tmp/sm-circumstances-XXXXXX";
    uint32_t step = 0;
    CHECK(mkdtemp(name) != NULL);
    CHECK_EQUAL(0, chdir(name));
    CHECK_EQUAL(0, rmdir(name));
    sm_circumstances taken = empty();
    CHECK_EQUAL(0, sm_circumstances_take(NULL, &taken));
    CHECK_EQUAL(0, chdir("/"));
    CHECK_EQUAL(0, sm_circumstances_become(&taken, &step));
}

static void whether_they_still_hold_is_told(void)
{
    sm_circumstances taken = empty();
    struct rlimit core, less;
    CHECK_EQUAL(0, chdir("/usr"));
    CHECK_EQUAL(0, sm_circumstances_take(NULL, &taken));
    int output = fcntl(1, F_DUPFD_CLOEXEC, 3);
    taken.standard[1] = output;
    CHECK_EQUAL(1, sm_circumstances_hold(&taken));

    CHECK_EQUAL(0, chdir("/"));
    CHECK_EQUAL(0, sm_circumstances_hold(&taken));
    CHECK_EQUAL(0, chdir("/usr"));

    mode_t mask = umask(0111);
    CHECK_EQUAL(0, sm_circumstances_hold(&taken));
    umask(mask);

    CHECK_EQUAL(0, getrlimit(RLIMIT_CORE, &core));
    less = core;
    less.rlim_cur = core.rlim_cur == 0 ? core.rlim_max : 0;
    if (less.rlim_cur != core.rlim_cur) {
        CHECK_EQUAL(0, setrlimit(RLIMIT_CORE, &less));
        CHECK_EQUAL(0, sm_circumstances_hold(&taken));
        CHECK_EQUAL(0, setrlimit(RLIMIT_CORE, &core));
    }

    // The same file opened once more is another open file; so is one that a child would not inherit.
    int null = open("/dev/null", O_WRONLY), again = open("/dev/null", O_WRONLY);
    CHECK_EQUAL(1, dup2(null, 1));
    CHECK_EQUAL(0, sm_circumstances_hold(&taken));
    taken.standard[1] = null;
    CHECK_EQUAL(1, sm_circumstances_hold(&taken));
    taken.standard[1] = again;
    CHECK_EQUAL(0, sm_circumstances_hold(&taken));
    CHECK_EQUAL(1, dup2(output, 1));
    CHECK_EQUAL(0, fcntl(1, F_SETFD, FD_CLOEXEC));
    taken.standard[1] = output;
    CHECK_EQUAL(0, sm_circumstances_hold(&taken));
    CHECK_EQUAL(0, fcntl(1, F_SETFD, 0));
    CHECK_EQUAL(1, sm_circumstances_hold(&taken));
    taken.size = 4;
    CHECK_EQUAL(-EINVAL, sm_circumstances_hold(&taken));
}

static void errors_say_what_is_wrong(void)
{
    sm_circumstances taken = empty();
    uint32_t step = 0;
    CHECK_EQUAL(-ENOENT, sm_circumstances_take("/nope", &taken));
    CHECK_EQUAL(-ENOTDIR, sm_circumstances_take("/etc/passwd", &taken));
    CHECK_EQUAL(0, sm_circumstances_take(NULL, &taken));
    taken.standard[1] = 9999;
    CHECK_EQUAL(-EBADF, sm_circumstances_become(&taken, &step));
    CHECK_EQUAL(SM_BECOME_STANDARD, step);
    taken.size = 4;
    CHECK_EQUAL(-EINVAL, sm_circumstances_become(&taken, &step));
}

static void the_environment_is_replaced_as_a_whole(void)
{
    setenv("SM_OLD", "1", 1);
    static const char block[] = "SM_A=1\0SM_B=\0SM_C=a=b";
    CHECK_EQUAL(0, sm_environment_replace(block, sizeof block));
    CHECK(getenv("SM_OLD") == NULL);
    CHECK(strcmp(getenv("SM_A"), "1") == 0 && strcmp(getenv("SM_B"), "") == 0 && strcmp(getenv("SM_C"), "a=b") == 0);
    CHECK_EQUAL(0, setenv("SM_D", "4", 1));
    CHECK(strcmp(getenv("SM_D"), "4") == 0);
    CHECK_EQUAL(-EINVAL, sm_environment_replace("SM_A=1", 6));
    CHECK_EQUAL(0, sm_environment_replace("", 0));
    CHECK(getenv("SM_A") == NULL);
}

static void a_pair_keeps_the_boundaries_of_messages(void)
{
    int32_t ends[2];
    char buffer[16];
    CHECK_EQUAL(0, sm_message_pair(ends));
    CHECK_EQUAL(FD_CLOEXEC, fcntl(ends[1], F_GETFD));
    CHECK_EQUAL(3, send(ends[0], "one", 3, 0));
    CHECK_EQUAL(5, send(ends[0], "three", 5, 0));
    CHECK_EQUAL(3, recv(ends[1], buffer, sizeof buffer, 0));
    CHECK_EQUAL(5, recv(ends[1], buffer, sizeof buffer, 0));
    close(ends[0]);
    CHECK_EQUAL(0, recv(ends[1], buffer, sizeof buffer, 0));
}

int main(void)
{
    static const sm_test_case cases[] = {
        CASE(the_mask_and_the_limits_of_this_process_are_taken), CASE(what_was_taken_can_become_that_of_another_process), CASE(a_directory_that_was_deleted_can_still_be_given_on),
        CASE(whether_they_still_hold_is_told), CASE(errors_say_what_is_wrong), CASE(the_environment_is_replaced_as_a_whole), CASE(a_pair_keeps_the_boundaries_of_messages),
    };
    return sm_run_tests(cases, sizeof cases / sizeof *cases);
}

/* Tests of the engine on a thread of its own, and of the socket by which it wakes. */
#include "engine_thread.h"

#include "engine_fixture.h"
#include "mpsc_queue.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static engine_thread *new_thread(void) {
  palenca_error error = {.kind = PALENCA_OK, .message = ""};
  engine_thread *thread = engine_thread_new(&(palenca_engine_options){0}, &error);
  if (thread == NULL) {
    fail_msg("%s", error.message);
  }
  return thread;
}

static uint64_t thread_submit(engine_thread *thread, const palenca_request *request) {
  palenca_error error = {.kind = PALENCA_OK, .message = ""};
  uint64_t id = engine_thread_submit(thread, request, &error);
  if (id == 0) {
    fail_msg("%s", error.message);
  }
  return id;
}

/* ---- The socket ---- */

static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
  return fd;
}

static bool is_readable(int fd, int timeout) {
  struct pollfd one = {.fd = fd, .events = POLLIN};
  return poll(&one, 1, timeout) == 1;
}

static void drain(int fd) {
  char bytes[64];
  while (is_readable(fd, 0)) {
    assert_true(read(fd, bytes, sizeof bytes) > 0);
  }
}

static int new_wake(engine_thread *thread) {
  const char *path = engine_thread_listen(thread, "/tmp", NULL);
  assert_non_null(path);
  int fd = connect_to(path);
  assert_true(engine_thread_accept(thread, NULL));
  return fd;
}

static palenca_result *wait_thread(engine_thread *thread, int wake) {
  palenca_result *result;
  while (engine_thread_collect(thread), (result = engine_thread_take(thread)) == NULL) {
    assert_true(is_readable(wake, TIMEOUT_MS));
    drain(wake);
  }
  return result;
}

ENGINE_TEST(test_the_path_is_private_and_goes_when_it_is_used) {
  engine_thread *thread = new_thread();
  struct stat is;
  char path[108], directory[108];
  snprintf(path, sizeof path, "%s", engine_thread_listen(thread, "/tmp", NULL));
  snprintf(directory, sizeof directory, "%.*s", (int)(strrchr(path, '/') - path), path);
  assert_int_equal(stat(directory, &is), 0);
  assert_int_equal(is.st_mode & 07777, 0700);
  int fd = connect_to(path);
  assert_true(engine_thread_accept(thread, NULL));
  assert_int_equal(stat(directory, &is), -1);
  close(fd);
  engine_thread_free(thread);
}

ENGINE_TEST(test_the_path_goes_when_it_is_not_used) {
  engine_thread *thread = new_thread();
  palenca_error error = {0};
  struct stat is;
  char path[108];
  snprintf(path, sizeof path, "%s", engine_thread_listen(thread, "/tmp", NULL));
  assert_false(engine_thread_accept(thread, &error));
  assert_string_equal(error.message, "nobody of this process has connected");
  assert_int_equal(stat(path, &is), -1);
  snprintf(path, sizeof path, "%s", engine_thread_listen(thread, "/tmp", NULL));
  engine_thread_free(thread);
  assert_int_equal(stat(path, &is), -1);
}

ENGINE_TEST(test_an_unusable_directory_is_named_as_the_cause) {
  engine_thread *thread = new_thread();
  palenca_error error = {0};
  char longest[200];
  memset(longest, 'x', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  assert_null(engine_thread_listen(thread, "/nowhere/at/all", &error));
  assert_string_equal(error.message, "a directory cannot be made: No such file or directory");
  assert_null(engine_thread_listen(thread, longest, &error));
  assert_string_equal(error.message, "the directory's path is too long");
  engine_thread_free(thread);
}

/* Another process that gets at the path is hung up on, and does not keep out who it is for. */
ENGINE_TEST(test_another_process_is_not_let_in) {
  engine_thread *thread = new_thread();
  char path[108], byte;
  int ready[2];
  snprintf(path, sizeof path, "%s", engine_thread_listen(thread, "/tmp", NULL));
  assert_int_equal(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    int fd = connect_to(path);
    byte = 'c';
    (void)!write(ready[1], &byte, 1);
    _exit(is_readable(fd, TIMEOUT_MS) && read(fd, &byte, 1) == 0 ? 0 : 1);
  }
  assert_int_equal(read(ready[0], &byte, 1), 1);
  int fd = connect_to(path);
  assert_true(engine_thread_accept(thread, NULL));
  assert_child_succeeds(child);
  engine_thread_wake(thread);
  assert_true(is_readable(fd, TIMEOUT_MS));
  close(fd);
  close(ready[0]);
  close(ready[1]);
  engine_thread_free(thread);
}

/* ---- Calls ---- */

ENGINE_TEST(test_a_call_is_made_and_wakes) {
  START(f, RESPONSE(BUSY_RESPONSE), RESPONSE(OK_RESPONSE));
  engine_thread *thread = new_thread();
  int wake = new_wake(thread);
  palenca_request request = get(f);
  request.observe = true;
  uint64_t id = thread_submit(thread, &request);
  palenca_result *result = wait_thread(thread, wake);
  assert_int_equal(result->id, id);
  assert_response(result, 200, "ok", 2);
  palenca_attempt_record note;
  for (int number = 1; number <= 2; number++) {
    assert_true(engine_thread_take_attempt(thread, &note));
    assert_int_equal(note.number, number);
    assert_int_equal(note.id, id);
  }
  assert_false(engine_thread_take_attempt(thread, &note));
  close(wake);
  engine_thread_free(thread);
}

/* Whoever watches a call learns of an attempt when it has failed, not with the last one. */
ENGINE_TEST(test_an_attempt_wakes_before_there_is_a_result) {
  START(f, RESPONSE("HTTP/1.1 503 Busy\r\nRetry-After: 50\r\nContent-Length: 0\r\n\r\n"));
  engine_thread *thread = new_thread();
  int wake = new_wake(thread);
  drain(wake);
  palenca_request request = get(f);
  request.observe = true;
  uint64_t id = thread_submit(thread, &request);
  assert_true(is_readable(wake, TIMEOUT_MS / 2));
  assert_int_equal(engine_thread_collect(thread), 0);
  palenca_attempt_record note;
  assert_true(engine_thread_take_attempt(thread, &note));
  assert_int_equal(note.id, id);
  assert_int_equal(note.status, 503);
  close(wake);
  engine_thread_free(thread);
}

ENGINE_TEST(test_what_is_wrong_with_a_request_is_said_at_once) {
  START(f, RESPONSE(OK_RESPONSE));
  engine_thread *thread = new_thread();
  palenca_error error = {0};
  palenca_request request = get(f);
  request.method = "get it";
  assert_int_equal(engine_thread_submit(thread, &request, &error), 0);
  assert_int_equal(error.kind, PALENCA_USAGE);
  engine_thread_free(thread);
  assert_int_equal(stub_requests(f->server), 0);
}

ENGINE_TEST(test_a_cancelled_call_has_no_result) {
  START(f, SILENCE, RESPOND_AND_CLOSE(OK_RESPONSE));
  engine_thread *thread = new_thread();
  int wake = new_wake(thread);
  palenca_request request = get(f);
  uint64_t silent = thread_submit(thread, &request);
  wait_requests(f, 1);
  engine_thread_cancel(thread, silent);
  engine_thread_cancel(thread, 4711);
  uint64_t responded = thread_submit(thread, &request);
  palenca_result *result = wait_thread(thread, wake);
  assert_int_equal(result->id, responded);
  assert_response(result, 200, "ok", 1);
  assert_null(engine_thread_take(thread));
  close(wake);
  engine_thread_free(thread);
}

ENGINE_TEST(test_the_end_does_not_wait_for_responses) {
  START(f, RESPONSE(OK_RESPONSE), SILENCE);
  engine_thread *thread = new_thread();
  palenca_request request = get(f);
  for (int i = 0; i < 10; i++) {
    (void)thread_submit(thread, &request);
  }
  wait_requests(f, 2);
  int64_t began = now_ms();
  engine_thread_free(thread);
  assert_true(now_ms() - began < TIMEOUT_MS / 4);
}

ENGINE_TEST(test_many_calls_all_come_back) {
  START(f, RESPONSE(OK_RESPONSE));
  engine_thread *thread = new_thread();
  int wake = new_wake(thread);
  palenca_request request = get(f);
  uint64_t open = 0, sum = 0;
  for (int i = 0; i < 2000; i++) {
    open += thread_submit(thread, &request);
    if (i % 50 == 49) {
      for (int taken = 0; taken < 50; taken++) {
        palenca_result *result = wait_thread(thread, wake);
        sum += result->id;
        assert_response(result, 200, "ok", 1);
      }
    }
  }
  assert_int_equal(sum, open);
  close(wake);
  engine_thread_free(thread);
}

/* ---- Signals and forks ---- */

static atomic_int signals_here, signals_elsewhere;
static pthread_t main_thread;

static void on_signal(int number) {
  (void)number;
  atomic_fetch_add(pthread_equal(pthread_self(), main_thread) ? &signals_here : &signals_elsewhere,
                   1);
}

ENGINE_TEST(test_signals_stay_with_the_process) {
  main_thread = pthread_self();
  struct sigaction action = {.sa_handler = on_signal}, before;
  sigset_t one, mask;
  sigaction(SIGUSR1, &action, &before);
  engine_thread *thread = new_thread();
  sigemptyset(&one);
  sigaddset(&one, SIGUSR1);
  assert_int_equal(pthread_sigmask(SIG_BLOCK, &one, &mask), 0);
  assert_false(sigismember(&mask, SIGTERM)); /* the mask was put back */
  kill(getpid(), SIGUSR1);
  assert_int_equal(atomic_load(&signals_elsewhere), 0);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  assert_int_equal(atomic_load(&signals_here), 1);
  engine_thread_free(thread);
  sigaction(SIGUSR1, &before, NULL);
}

ENGINE_TEST(test_a_child_has_no_part_in_it) {
  START(f, RESPONSE(OK_RESPONSE));
  engine_thread *thread = new_thread();
  int wake = new_wake(thread);
  palenca_request request = get(f);
  pid_t child = fork();
  if (child == 0) {
    palenca_error error = {0};
    bool rejected = engine_thread_submit(thread, &request, &error) == 0;
    engine_thread_cancel(thread, 1);
    engine_thread_free(thread);
    _exit(rejected && strstr(error.message, "forked") != NULL ? 0 : 1);
  }
  assert_child_succeeds(child);
  (void)thread_submit(thread, &request);
  assert_response(wait_thread(thread, wake), 200, "ok", 1);
  close(wake);
  engine_thread_free(thread);
}

/* ---- The queue between threads ---- */

enum {
  WRITERS = 4,
  NODES = 20000
};

typedef struct {
  queue_node node;
  int writer, number;
} numbered;

static mpsc_queue queue;
static numbered nodes[WRITERS][NODES];
static atomic_int times_empty;

static void *write_nodes(void *context) {
  int writer = (int)((numbered(*)[NODES])context - nodes);
  for (int i = 0; i < NODES; i++) {
    nodes[writer][i] = (numbered){.writer = writer, .number = i};
    if (mpsc_queue_push(&queue, &nodes[writer][i].node)) {
      atomic_fetch_add(&times_empty, 1);
    }
  }
  return NULL;
}

ENGINE_TEST(test_nodes_come_once_and_in_order) {
  pthread_t writers[WRITERS];
  int next[WRITERS] = {0}, taken = 0, times_full = 0;
  for (int i = 0; i < WRITERS; i++) {
    assert_int_equal(pthread_create(&writers[i], NULL, write_nodes, nodes[i]), 0);
  }
  while (taken < WRITERS * NODES) {
    queue_node *first = mpsc_queue_take_all(&queue);
    times_full += first != NULL;
    for (queue_node *one = first; one != NULL; one = one->next, taken++) {
      const numbered *found = (const numbered *)(const void *)one;
      assert_int_equal(found->number, next[found->writer]++);
    }
  }
  for (int i = 0; i < WRITERS; i++) {
    pthread_join(writers[i], NULL);
  }
  assert_int_equal(atomic_load(&times_empty), times_full);
  assert_null(mpsc_queue_take_all(&queue));
}

ENGINE_TEST(test_a_chain_comes_in_order_behind_what_is_there) {
  numbered all[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
  mpsc_queue own = {NULL};
  all[2].node.next = &all[1].node;
  all[3].node.next = &all[2].node;
  assert_true(mpsc_queue_push(&own, &all[0].node));
  assert_false(mpsc_queue_push_chain(&own, &all[3].node, &all[1].node));
  int number = 0;
  for (queue_node *one = mpsc_queue_take_all(&own); one != NULL; one = one->next) {
    assert_int_equal(((numbered *)(void *)one)->number, number++);
  }
  assert_int_equal(number, 4);
  assert_true(mpsc_queue_push_chain(&own, &all[3].node, &all[3].node));
  assert_ptr_equal(mpsc_queue_take_all(&own), &all[3].node);
}

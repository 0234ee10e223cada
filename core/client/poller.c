/* Waits for many sockets. Those of idle connections stay registered in the epoll, so that a call
 * over a kept connection changes nothing there, and a wait costs the same however many there are.
 */
#include "poller.h"

#include "palenca.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 64 /* read at a time */

/* ---- the epoll -------------------------------------------------------------------- */

#ifdef __linux__
#include <sys/epoll.h>

static int epoll_new(void) {
  return epoll_create1(EPOLL_CLOEXEC);
}

/* A socket that nobody wanted for a while may have been closed, and its number be another's, which
 * is not registered: the call that waits for it must not wait for ever. */
static bool set_registered(poller *p, poller_socket *one, short wanted) {
  struct epoll_event event = {.data.fd = one->fd};
  event.events = ((wanted & POLLIN) != 0 ? (uint32_t)EPOLLIN : 0) |
                 ((wanted & POLLOUT) != 0 ? (uint32_t)EPOLLOUT : 0);
  int change = one->registered == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (wanted == 0) {
    change = EPOLL_CTL_DEL;
  }
  bool ok = epoll_ctl(p->epoll, change, one->fd, &event) == 0 ||
            (change == EPOLL_CTL_MOD && errno == ENOENT &&
             epoll_ctl(p->epoll, EPOLL_CTL_ADD, one->fd, &event) == 0);
  one->registered = ok ? wanted : 0;
  return ok;
}

static short events_of(uint32_t events) {
  return (short)(((events & EPOLLIN) != 0 ? POLLIN : 0) | ((events & EPOLLOUT) != 0 ? POLLOUT : 0) |
                 ((events & EPOLLERR) != 0 ? POLLERR : 0) |
                 ((events & EPOLLHUP) != 0 ? POLLHUP : 0));
}

static void add_found(poller *p, int fd, short what);

/* Returns how many there were, of EVENTS_MAX at most. */
static int read_events(poller *p, int max_wait) {
  struct epoll_event events[EVENTS_MAX];
  int count = epoll_wait(p->epoll, events, EVENTS_MAX, max_wait);
  for (int i = 0; i < count; i++) {
    add_found(p, events[i].data.fd, events_of(events[i].events));
  }
  return count;
}
#else
static int epoll_new(void) {
  return -1;
}

static bool set_registered(poller *p, poller_socket *one, short wanted) {
  (void)p, (void)one, (void)wanted;
  return true;
}

static int read_events(poller *p, int max_wait) {
  (void)p, (void)max_wait;
  return 0;
}
#endif

/* ---- the sockets ------------------------------------------------------------------ */

void poller_init(poller *p) {
  memset(p, 0, sizeof *p);
  p->epoll = -1;
}

void poller_free(poller *p) {
  free(p->sockets);
  if (p->epoll >= 0) {
    close(p->epoll);
  }
  poller_init(p);
}

static poller_socket *find(const poller *p, int fd) {
  for (size_t i = 0; i < p->count; i++) {
    if (p->sockets[i].fd == fd) {
      return &p->sockets[i];
    }
  }
  return NULL;
}

/* Others, such as those by which curl waits for a name, are closed without poller_drop. */
static bool is_connection(int fd) {
  struct sockaddr_storage address;
  socklen_t size = sizeof address;
  return getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
         (address.ss_family == AF_INET || address.ss_family == AF_INET6);
}

static poller_socket *add(poller *p, int fd) {
  if (p->count == p->capacity) {
    size_t capacity = p->capacity > 0 ? p->capacity * 2 : 16;
    poller_socket *sockets = realloc(p->sockets, capacity * sizeof *sockets);
    if (sockets == NULL) {
      return NULL;
    }
    p->sockets = sockets;
    p->capacity = capacity;
  }
  if (!p->has_tried) {
    p->has_tried = true;
    p->epoll = epoll_new();
  }
  p->sockets[p->count] = (poller_socket){.fd = fd, .is_connection = is_connection(fd)};
  return &p->sockets[p->count++];
}

/* Every change of what a socket is comes here, so that the counts are those of the sockets. */
static void set(poller *p, poller_socket *one, short wanted, bool is_idle) {
  p->watched -= one->wanted != 0;
  p->watched += wanted != 0;
  p->idle -= one->is_idle;
  p->idle_found -= one->is_idle && one->found != 0;
  one->wanted = wanted;
  one->is_idle = is_idle;
  one->found = 0;
  p->idle += is_idle;
}

static void take_out(poller *p, poller_socket *one) {
  set(p, one, 0, false);
  if (one->registered != 0) {
    set_registered(p, one, 0);
  }
  *one = p->sockets[--p->count];
  p->next = 0;
}

/* Has the epoll look for `events`, unless it is known to do so. */
static bool look_for(poller *p, poller_socket *one, short events, bool is_known) {
  if (p->epoll < 0 || (is_known && one->registered == events) || set_registered(p, one, events)) {
    return true;
  }
  take_out(p, one);
  return false;
}

static poller_socket *find_or_add(poller *p, int fd) {
  poller_socket *one = find(p, fd);
  return one != NULL ? one : add(p, fd);
}

bool poller_watch(poller *p, int fd, bool in, bool out) {
  poller_socket *one = find_or_add(p, fd);
  if (one == NULL) {
    return false;
  }
  bool is_known = one->wanted != 0 || one->is_idle;
  set(p, one, (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0)), false);
  return look_for(p, one, one->wanted, is_known);
}

bool poller_watches(const poller *p, int fd) {
  const poller_socket *one = find(p, fd);
  return one != NULL && one->wanted != 0;
}

void poller_forget(poller *p, int fd) {
  poller_socket *one = find(p, fd);
  if (one == NULL) {
    return;
  }
  if (one->is_connection) {
    set(p, one, 0, false);
  } else {
    take_out(p, one);
  }
}

void poller_drop(poller *p, int fd) {
  poller_socket *one = find(p, fd);
  if (one != NULL) {
    take_out(p, one);
  }
}

void poller_replaced(poller *p, int fd) {
  poller_socket *one = find(p, fd);
  if (one == NULL) {
    return;
  }
  if (one->wanted == 0) {
    take_out(p, one);
  } else {
    (void)look_for(p, one, one->wanted, false);
  }
}

bool poller_set_idle(poller *p, int fd) {
  poller_socket *one = find_or_add(p, fd);
  if (one == NULL) {
    return false;
  }
  if (one->wanted != 0) { /* the next call has got the connection already */
    return true;
  }
  set(p, one, 0, true);
  return look_for(p, one, POLLIN, true);
}

/* ---- waiting ---------------------------------------------------------------------- */

/* What nobody wants would end every wait from now on. */
static void add_found(poller *p, int fd, short what) {
  poller_socket *one = find(p, fd);
  if (one == NULL || one->found != 0) {
    return;
  }
  if (one->wanted == 0 && p->epoll >= 0) {
    set_registered(p, one, 0);
  }
  if (one->wanted != 0 || one->is_idle) {
    one->found = what;
    p->idle_found += one->is_idle;
  }
}

/* Waits with poll(2) for `fds`, and for the epoll or else for each socket. */
static bool poll_all(poller *p, int max_wait, const int *fds, size_t count) {
  bool has_epoll = p->epoll >= 0;
  struct pollfd few[PALENCA_WAKE_FDS_MAX + 1], *all = few;
  size_t used = 0, sockets = has_epoll ? 0 : p->count;
  if (sockets > 0 && (all = malloc((sockets + PALENCA_WAKE_FDS_MAX) * sizeof *all)) == NULL) {
    poll(NULL, 0, max_wait < 10 ? max_wait : 10); /* there is memory later, or never */
    return false;
  }
  if (has_epoll) {
    all[used++] = (struct pollfd){.fd = p->epoll, .events = POLLIN};
  }
  for (; used < sockets; used++) {
    const poller_socket *one = &p->sockets[used];
    bool is_unread = one->is_idle && one->found == 0;
    all[used] = (struct pollfd){.fd = one->wanted != 0 || is_unread ? one->fd : -1};
    all[used].events = is_unread ? POLLIN : one->wanted;
  }
  for (size_t i = 0; i < count && i < PALENCA_WAKE_FDS_MAX; i++) {
    all[used++] = (struct pollfd){.fd = fds[i], .events = POLLIN};
  }
  bool is_ready = poll(all, used, max_wait) > 0;
  for (size_t i = 0; is_ready && i < sockets; i++) {
    if (all[i].revents != 0) {
      add_found(p, all[i].fd, all[i].revents);
    }
  }
  is_ready = is_ready && has_epoll && all[0].revents != 0;
  if (all != few) {
    free(all);
  }
  return is_ready;
}

/* A wait that a signal ends is not gone on with: who called may have to act on the signal. */
void poller_wait(poller *p, int64_t max_wait, const int *fds, size_t count) {
  for (size_t i = 0; i < p->count; i++) { /* what was not taken is found again */
    p->sockets[i].found = p->sockets[i].is_idle ? p->sockets[i].found : 0;
  }
  p->next = 0;
  if (max_wait > INT_MAX) {
    max_wait = INT_MAX;
  }
  if (p->watched == 0 && max_wait == 0 && !p->is_polled) {
    return;
  }
  if (p->epoll < 0 || (count > 0 && max_wait > 0)) {
    if (!poll_all(p, (int)max_wait, fds, count)) {
      return;
    }
    max_wait = 0;
  }
  read_events(p, (int)max_wait);
}

bool poller_take(poller *p, int *fd, short *what) {
  for (; p->next < p->count; p->next++) {
    poller_socket *one = &p->sockets[p->next];
    short found = one->found;
    if (found == 0 || one->wanted == 0) {
      continue;
    }
    one->found = 0;
    *fd = one->fd;
    *what = (short)(((found & (POLLIN | POLLHUP)) != 0 ? POLLIN : 0) | (found & POLLOUT) |
                    ((found & (POLLERR | POLLNVAL)) != 0 ? POLLERR : 0));
    return true;
  }
  return false;
}

int poller_next_readable_idle(poller *p) {
  if (p->idle > 0 && p->idle_found == 0) {
    if (p->epoll < 0) {
      poll_all(p, 0, NULL, 0);
    } else {
      /* sockets that are watched may fill the first of several reads; they are found again */
      for (size_t seen = 0; read_events(p, 0) == EVENTS_MAX && seen < p->count;) {
        seen += EVENTS_MAX;
      }
    }
  }
  for (size_t i = 0; p->idle_found > 0 && i < p->count; i++) {
    if (p->sockets[i].is_idle && p->sockets[i].found != 0) {
      return p->sockets[i].fd;
    }
  }
  return -1;
}

static bool register_again(poller *p, poller_socket *one) {
  bool is_unread = one->is_idle && one->found == 0;
  short wanted = is_unread ? POLLIN : one->wanted;
  return wanted == 0 || set_registered(p, one, wanted);
}

int poller_fd(poller *p) {
  p->is_polled = true;
  if (p->epoll >= 0 || (p->epoll = epoll_new()) < 0) {
    return p->epoll;
  }
  p->has_tried = true;
  size_t done = 0;
  while (done < p->count && register_again(p, &p->sockets[done])) {
    done++;
  }
  if (done < p->count) {
    close(p->epoll);
    p->epoll = -1;
  }
  for (; p->epoll < 0 && done > 0; done--) {
    p->sockets[done - 1].registered = 0;
  }
  return p->epoll;
}

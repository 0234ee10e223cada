/* Waits for many sockets with poll(2), which costs less than epoll for a few sockets that come and
 * go. */
#include "poller.h"

#include "palenca.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/epoll.h>

static bool mirror_watch(int mirror, const struct pollfd *socket, bool is_new) {
  struct epoll_event event = {.data.fd = socket->fd};
  event.events = ((socket->events & POLLIN) != 0 ? (uint32_t)EPOLLIN : 0) |
                 ((socket->events & POLLOUT) != 0 ? (uint32_t)EPOLLOUT : 0);
  return epoll_ctl(mirror, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket->fd, &event) == 0;
}

static void mirror_forget(int mirror, int fd) {
  struct epoll_event unused = {0};
  epoll_ctl(mirror, EPOLL_CTL_DEL, fd, &unused);
}

static int mirror_new(void) {
  return epoll_create1(EPOLL_CLOEXEC);
}
#else
static bool mirror_watch(int mirror, const struct pollfd *socket, bool is_new) {
  (void)mirror, (void)socket, (void)is_new;
  return true;
}

static void mirror_forget(int mirror, int fd) {
  (void)mirror, (void)fd;
}

static int mirror_new(void) {
  return -1;
}
#endif

void poller_init(poller *p) {
  memset(p, 0, sizeof *p);
  p->mirror = -1;
}

void poller_free(poller *p) {
  free(p->sockets);
  if (p->mirror >= 0) {
    close(p->mirror);
  }
  poller_init(p);
}

static struct pollfd *find(const poller *p, int fd) {
  for (size_t i = 0; i < p->count; i++) {
    if (p->sockets[i].fd == fd) {
      return &p->sockets[i];
    }
  }
  return NULL;
}

static bool reserve(poller *p) {
  if (p->count < p->capacity) {
    return true;
  }
  size_t capacity = p->capacity > 0 ? p->capacity * 2 : 16;
  struct pollfd *sockets = realloc(p->sockets, (capacity + PALENCA_WAKE_FDS_MAX) * sizeof *sockets);
  if (sockets == NULL) {
    return false;
  }
  p->sockets = sockets;
  p->capacity = capacity;
  return true;
}

bool poller_watch(poller *p, int fd, bool in, bool out) {
  struct pollfd *socket = find(p, fd);
  bool is_new = socket == NULL;
  if (is_new) {
    if (!reserve(p)) {
      return false;
    }
    socket = &p->sockets[p->count++];
    *socket = (struct pollfd){.fd = fd};
  }
  socket->events = (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0));
  return p->mirror < 0 || mirror_watch(p->mirror, socket, is_new);
}

void poller_forget(poller *p, int fd) {
  struct pollfd *socket = find(p, fd);
  if (socket == NULL) {
    return;
  }
  *socket = p->sockets[--p->count];
  if (p->mirror >= 0) {
    mirror_forget(p->mirror, fd);
  }
}

bool poller_watches(const poller *p, int fd) {
  return find(p, fd) != NULL;
}

/* A wait that a signal ends is not gone on with: who called may have to act on the signal. */
void poller_wait(poller *p, int64_t max_wait, const int *fds, size_t count) {
  if (p->count + count == 0 && max_wait == 0) {
    return;
  }
  if (max_wait > INT_MAX) {
    max_wait = INT_MAX;
  }
  if (!reserve(p)) {
    poll(NULL, 0, max_wait < 10 ? (int)max_wait : 10); /* there is memory later, or never */
    return;
  }
  struct pollfd *wake = p->sockets + p->count;
  for (size_t i = 0; i < count && i < PALENCA_WAKE_FDS_MAX; i++) {
    wake[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
  }
  if (count > PALENCA_WAKE_FDS_MAX) {
    count = PALENCA_WAKE_FDS_MAX;
  }
  if (poll(p->sockets, p->count + count, (int)max_wait) < 0) {
    for (size_t i = 0; i < p->count; i++) {
      p->sockets[i].revents = 0;
    }
  }
}

bool poller_take(poller *p, int *fd, short *what) {
  for (size_t i = 0; i < p->count; i++) {
    short found = p->sockets[i].revents;
    if (found == 0) {
      continue;
    }
    p->sockets[i].revents = 0;
    *fd = p->sockets[i].fd;
    *what = (short)(((found & (POLLIN | POLLHUP)) != 0 ? POLLIN : 0) | (found & POLLOUT) |
                    ((found & (POLLERR | POLLNVAL)) != 0 ? POLLERR : 0));
    return true;
  }
  return false;
}

int poller_fd(poller *p) {
  if (p->mirror >= 0) {
    return p->mirror;
  }
  p->mirror = mirror_new();
  for (size_t i = 0; p->mirror >= 0 && i < p->count; i++) {
    if (!mirror_watch(p->mirror, &p->sockets[i], true)) {
      close(p->mirror);
      p->mirror = -1;
    }
  }
  return p->mirror;
}

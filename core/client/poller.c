/* The poller over Linux's epoll. */
#include "poller.h"

#include "palenca.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

int poller_new(void) {
  return epoll_create1(EPOLL_CLOEXEC);
}

bool poller_watch(int poller, int fd, bool in, bool out) {
  struct epoll_event event = {.data.fd = fd};
  event.events = (in ? (uint32_t)EPOLLIN : 0) | (out ? (uint32_t)EPOLLOUT : 0);
  return epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event) == 0 ||
         (errno == ENOENT && epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) == 0);
}

void poller_forget(int poller, int fd) {
  struct epoll_event unused = {0};
  epoll_ctl(poller, EPOLL_CTL_DEL, fd, &unused);
}

size_t poller_take(int poller, poller_event *events, size_t capacity) {
  struct epoll_event found[16];
  int most = capacity < 16 ? (int)capacity : 16;
  int count = epoll_wait(poller, found, most, 0);
  for (int i = 0; i < count; i++)
    events[i] = (poller_event){
        .fd = found[i].data.fd,
        .in = (found[i].events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP)) != 0,
        .out = (found[i].events & EPOLLOUT) != 0,
        .error = (found[i].events & EPOLLERR) != 0,
    };
  return count > 0 ? (size_t)count : 0;
}

void poller_wait(int poller, int64_t max_wait, const int *fds, size_t count) {
  struct pollfd waited[1 + PALENCA_WAKE_FDS_MAX] = {{.fd = poller, .events = POLLIN}};
  nfds_t used = 1;
  for (size_t i = 0; i < count && i < PALENCA_WAKE_FDS_MAX; i++)
    waited[used++] = (struct pollfd){.fd = fds[i], .events = POLLIN};
  poll(waited, used, (int)max_wait);
}

/* Tests of what may become part of a URL: base URLs, path segments, whole paths. */
#include "palenca.h"
#include "support/unit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Base URLs ---- */

static void assert_base_url(const char *url, bool allow_http, bool expected) {
  palenca_error error = {.kind = PALENCA_OK, .message = ""};
  if (palenca_base_url_check(url, allow_http, &error) != expected) {
    fail_msg("%s: %s", url != NULL ? url : "NULL", expected ? error.message : "was accepted");
  }
  assert_int_equal(error.kind, expected ? PALENCA_OK : PALENCA_USAGE);
  assert_true(expected == (error.message[0] == '\0'));
}

UNIT_TEST(test_base_urls_accepted) {
  static const char *const urls[] = {
      "https://api.palenca.com",
      "https://sandbox.palenca.com/",
      "https://api.palenca.com/v1",
      "https://api.palenca.com/a/b/",
      "https://api.palenca.com/@name",
      "https://host",
      "https://my_host-1.example",
      "https://3com.example",
      "https://7f3a9c2b1d0e",
      "https://7f3a9c2b1d0e:8443/v1",
      "https://web.7f3a9c2b1d0e",
      "https://0x7g",
      "https://my_service:8443",
      "https://_service",
      "https://127.0.0.1a",
      "https://host:1",
      "https://host:65535/x",
      "https://10.0.0.1:8443",
      "https://0.0.0.0",
      "https://255.255.255.255",
      "https://[::1]",
      "https://[2001:db8::17]:8443/v1",
      "https://[::ffff:10.0.0.1]",
      "https://xn--caf-dma.example",
      "http://localhost",
      "http://LOCALHOST:8400",
      "http://127.0.0.1:8400/v1",
      "http://127.255.255.254",
      "http://[::1]:8400",
  };
  for (size_t i = 0; i < LENGTH(urls); i++) {
    assert_base_url(urls[i], false, true);
    assert_base_url(urls[i], true, true);
  }
}

UNIT_TEST(test_base_urls_rejected) {
  static const char *const urls[] = {
      "",
      "https",
      "https:",
      "https:/host",
      "https://",
      "https:///v1",
      "HTTPS://host",
      " https://host",
      "ftp://host",
      "file:///etc/passwd",
      "//host",
      "host",
      "https://user@host",
      "https://user:word@host",
      "https://host@evil.example",
      "https://@host",
      "https://host:",
      "https://host:0",
      "https://host:65536",
      "https://host:99999",
      "https://host:000080",
      "https://host:80a",
      "https://host:-1",
      "https://host:+80",
      "https://host: 80",
      "https://host:80:80",
      "https://:80",
      "https://host?x=1",
      "https://host/?x=1",
      "https://host/v1?x=1",
      "https://host#x",
      "https://host/v1#x",
      "https://host\\evil.example",
      "https://host/a\\b",
      "https://host//v1",
      "https://host/../v1",
      "https://host/./v1",
      "https://host/v1/..",
      "https://host/%2e%2E/v1",
      "https://host/a b",
      "https://ho st",
      "https://host\r\nX: y",
      "https://host/\r\nX: y",
      "https://host/\x7f",
      "https://caf\xc3\xa9.example",
      "https://host/caf\xc3\xa9",
      "https://.host",
      "https://host.",
      "https://a..b",
      "https://-a.example",
      "https://a-.example",
      "https://a.-b",
      "https://a.b-",
      "https://ho%73t",
      "https://ho*st",
  };
  for (size_t i = 0; i < LENGTH(urls); i++) {
    assert_base_url(urls[i], false, false);
    assert_base_url(urls[i], true, false);
  }
}

UNIT_TEST(test_what_is_on_this_machine) {
  static const char *const local[] = {
      "http://localhost",   "http://LOCALHOST:80/x", "https://127.0.0.1:8400/v1?a=b",
      "http://127.255.0.1", "http://[::1]:80/",
  };
  static const char *const elsewhere[] = {
      "http://localhost.example",
      "http://example.com/localhost",
      "http://128.0.0.1",
      "http://127.0.0.1.example",
      "http://[::2]",
      "http://127.1",
      "127.0.0.1",
      "",
      "http://localhost@example.com",
  };
  for (size_t i = 0; i < LENGTH(local); i++) {
    assert_true(palenca_url_is_local(local[i]));
  }
  for (size_t i = 0; i < LENGTH(elsewhere); i++) {
    assert_false(palenca_url_is_local(elsewhere[i]));
  }
}

UNIT_TEST(test_addresses_in_disguise_are_rejected) {
  static const char *const hosts[] = {
      "127.1",
      "127.0.1",
      "2130706433",
      "0x7f000001",
      "0177.0.0.1",
      "127.0.0.01",
      "127.0.0.256",
      "1.2.3.4.5",
      "127.0.0.1.",
      "1.2.3.",
      "example.0x7f",
      "example.1",
      "1",
      "1.2.3",
      "0x",
      "0X7F",
      "a.0x7f000001",
      "example.007",
      "127.0.0.0x1",
      "0x7f.1",
      "00.0.0.0",
      "1.2.3.4567",
      "[]",
      "[:]",
      "[::1",
      "::1",
      "[::1]x",
      "[::1]]",
      "[::g]",
      "[fe80::1%25eth0]",
      "[localhost]",
      "[127.0.0.1]",
      "[::1]:",
      "[::1]8080",
      "[[::1]]",
      "[1:2]",
      "[00000000000000000000000000000000000000000000::]",
      "[:::]",
      "[1:2:3:4:5:6:7:8:9]",
      "[12345::]",
      "[1::2::3]",
      "[::256.0.0.1]",
      "[::1 ]",
      "[0000000000000000000000000000000000000000000000::1]",
  };
  for (size_t i = 0; i < LENGTH(hosts); i++) {
    char url[128];
    (void)snprintf(url, sizeof url, "https://%s", hosts[i]);
    assert_base_url(url, true, false);
    assert_false(palenca_url_check(url, NULL));
    (void)snprintf(url, sizeof url, "https://%s/v1", hosts[i]);
    assert_base_url(url, true, false);
  }
}

UNIT_TEST(test_rejections_say_why) {
  static const char *const rows[][2] = {
      {"ftp://host", "https://"},        {"https://user:word@host", "user name"},
      {"https://a..b", "host and port"}, {"https://host?x=1", "query"},
      {"https://host/v1#x", "fragment"}, {"https://host\\x", "path"},
      {"https://host/..", "'..'"},       {"http://api.palenca.com", "must be https"},
  };
  for (size_t i = 0; i < LENGTH(rows); i++) {
    palenca_error error = {.kind = PALENCA_OK, .message = ""};
    assert_false(palenca_base_url_check(rows[i][0], false, &error));
    assert_non_null(strstr(error.message, rows[i][1]));
    assert_null(strstr(error.message, "word"));
  }
}

UNIT_TEST(test_plain_http_is_for_this_machine) {
  static const char *const hosts[] = {
      "api.palenca.com",   "localhost.example", "127.example", "10.0.0.1",
      "128.0.0.1",         "0.0.0.0",           "[::2]",       "[::ffff:127.0.0.1]",
      "xlocalhost",        "localhos",          "12.7.0.1",    "localhost-",
      "127.0.0.1.example", "127-0-0-1.org",
  };
  for (size_t i = 0; i < LENGTH(hosts); i++) {
    char url[128];
    (void)snprintf(url, sizeof url, "http://%s:80/v1", hosts[i]);
    assert_base_url(url, false, false);
    assert_base_url(url, true, strcmp(hosts[i], "localhost-") != 0);
  }
}

UNIT_TEST(test_host_names_have_a_length) {
  char url[400] = "https://";
  memset(url + 8, 'a', 63);
  assert_base_url(url, false, true);
  url[8 + 63] = 'a';
  assert_base_url(url, false, false);
  for (size_t i = 0; i < 253; i++) {
    url[8 + i] = i % 2 == 0 ? 'a' : '.';
  }
  url[8 + 253] = '\0';
  assert_base_url(url, false, true);
  strcpy(url + 8 + 252, "aa");
  assert_base_url(url, false, false);
}

UNIT_TEST(test_rejections_work_without_an_error_to_fill) {
  assert_false(palenca_base_url_check("ftp://host", false, NULL));
  assert_false(palenca_path_check("x", 1, NULL));
  palenca_buffer out = {.limit = 0};
  assert_false(palenca_segment_escape("..", 2, &out, NULL));
  palenca_buffer_free(&out);
}

/* ---- Path segments ---- */

UNIT_TEST(test_segments_are_escaped) {
  static const char *const rows[][2] = {
      {"cb39ee15-f29f-427d-9119-0c627575610d", "cb39ee15-f29f-427d-9119-0c627575610d"},
      {"AZaz09-._~", "AZaz09-._~"},
      {"a/b", "a%2Fb"},
      {"../x", "..%2Fx"},
      {"...", "..."},
      {".a", ".a"},
      {"a?b=c&d#e", "a%3Fb%3Dc%26d%23e"},
      {"%2e%2e", "%252e%252e"},
      {"a b+c", "a%20b%2Bc"},
      {"\r\n\t", "%0D%0A%09"},
      {"\xc3\xb1", "%C3%B1"},
      {"\x7f\xff", "%7F%FF"},
      {"\\:@;,!$'()*[]", "%5C%3A%40%3B%2C%21%24%27%28%29%2A%5B%5D"},
  };
  for (size_t i = 0; i < LENGTH(rows); i++) {
    palenca_buffer out = {.limit = 0};
    palenca_error error;
    assert_true(palenca_buffer_append(&out, "/", 1));
    assert_true(palenca_segment_escape(rows[i][0], strlen(rows[i][0]), &out, &error));
    assert_int_equal(out.data[0], '/');
    assert_string_equal(out.data + 1, rows[i][1]);
    assert_true(palenca_path_check(out.data, out.size, &error));
    palenca_buffer_free(&out);
  }
}

static int hex_value(char c) {
  return c <= '9' ? c - '0' : c - 'A' + 10;
}

UNIT_TEST(test_every_byte_is_kept_and_harmless) {
  for (int byte = 0; byte < 256; byte++) {
    palenca_buffer out = {.limit = 0};
    palenca_error error;
    char segment[2] = {(char)byte, 'x'};
    assert_true(palenca_segment_escape(segment, 2, &out, &error));
    int decoded = out.size == 2 ? (unsigned char)out.data[0]
                                : hex_value(out.data[1]) * 16 + hex_value(out.data[2]);
    assert_int_equal(decoded, byte);
    assert_int_equal(out.data[out.size - 1], 'x');
    for (size_t i = 0; i < out.size; i++) {
      assert_non_null(strchr("%-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
                             out.data[i]));
    }
    palenca_buffer_free(&out);
  }
}

/* As getenv returns it. */
UNIT_TEST(test_parts_that_are_null_are_rejected) {
  assert_base_url(NULL, false, false);
  assert_base_url(NULL, true, false);
  palenca_buffer out = {.limit = 0};
  palenca_error error = {.kind = PALENCA_OK};
  assert_false(palenca_url_check(NULL, &error));
  assert_int_equal(error.kind, PALENCA_USAGE);
  assert_false(palenca_url_is_local(NULL));
  assert_false(palenca_segment_escape(NULL, 1, &out, NULL));
  assert_false(palenca_segment_escape(NULL, 0, &out, NULL));
  assert_false(palenca_path_check(NULL, 1, NULL));
  assert_int_equal(out.size, 0);
}

UNIT_TEST(test_segments_rejected) {
  static const char *const segments[] = {"", ".", ".."};
  for (size_t i = 0; i < LENGTH(segments); i++) {
    palenca_buffer out = {.limit = 0};
    palenca_error error = {.kind = PALENCA_OK};
    assert_false(palenca_segment_escape(segments[i], strlen(segments[i]), &out, &error));
    assert_int_equal(error.kind, PALENCA_USAGE);
    assert_int_equal(out.size, 0);
    palenca_buffer_free(&out);
  }
  palenca_buffer out = {.limit = 5};
  palenca_error error = {.kind = PALENCA_OK};
  assert_false(palenca_segment_escape("a//", 3, &out, &error));
  assert_int_equal(error.kind, PALENCA_NO_MEMORY);
  palenca_buffer_free(&out);
}

/* ---- Whole paths ---- */

/* The copy ends where the path does, so that sanitizers see a step beyond it. */
static bool check_path(const char *path, size_t size, palenca_error *error) {
  char *copy = malloc(size + (size == 0));
  assert_non_null(copy);
  memcpy(copy, path, size);
  bool ok = palenca_path_check(copy, size, error);
  free(copy);
  return ok;
}

UNIT_TEST(test_paths_accepted) {
  static const char *const paths[] = {
      "/",        "/v1/users",      "/v1/users/", "/a?b=c",         "/?",
      "/a?../..", "/a?b=/./",       "/...",       "/.a/..b/a./b..", "/%2e%2e%2e",
      "/a%20b",   "/a//b",          "/a?b?c",     "/%2ea/%2e.x",    "/a?x=http://h//p",
      "/%2",      "/a?b=%23%0D%0A",
  };
  for (size_t i = 0; i < LENGTH(paths); i++) {
    palenca_error error = {.kind = PALENCA_OK, .message = ""};
    if (!check_path(paths[i], strlen(paths[i]), &error)) {
      fail_msg("%s: %s", paths[i], error.message);
    }
    assert_int_equal(error.kind, PALENCA_OK);
  }
}

UNIT_TEST(test_paths_rejected) {
  static const char *const paths[] = {
      "",       "v1",      "?x",       "//host/v1", "//",     "/.",      "/..",       "/a/.",
      "/a/..",  "/./a",    "/../a",    "/a/../b",   "/a/./b", "/..?x=1", "/a/.?x",    "/%2e",
      "/%2E./", "/.%2e/a", "/%2e%2E",  "/a b",      "/a?b c", "/a#b",    "/a?b#c",    "/a\\b",
      "/a\nb",  "/a\r\nb", "/a?b\r\n", "/a\tb",     "/\x01",  "/\x7f",   "/\xc3\xb1", "/?\xff",
      "\\/a",   "/a/\\..", " /a",      "/a ",
  };
  for (size_t i = 0; i < LENGTH(paths); i++) {
    palenca_error error = {.kind = PALENCA_OK, .message = ""};
    if (check_path(paths[i], strlen(paths[i]), &error)) {
      fail_msg("%s was accepted", paths[i]);
    }
    assert_int_equal(error.kind, PALENCA_USAGE);
    assert_string_not_equal(error.message, "");
  }
  assert_false(palenca_path_check("/a\0b", 4, NULL));
  assert_false(palenca_path_check("/a?\0", 4, NULL));
}

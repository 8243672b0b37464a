#ifndef LIB_HTTP_CURL_H
#define LIB_HTTP_CURL_H

#include <curl/curl.h>

/* What both halves of libcurl's fence share (lib/http.c, lib/http_stream.c);
 * nobody else includes this. */

/* A handle, with libcurl started once; NULL when it does not start. */
CURL *http_curl_new(void);

/* No redirects, no proxy from the environment, no protocol but HTTP and HTTPS.
 * `why`: CURL_ERROR_SIZE bytes that outlive the exchange. */
void http_curl_common(CURL *c, const char *url, long connect_ms, char *why);

#endif

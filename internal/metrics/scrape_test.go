package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkScrape is what being asked for the metrics costs.
func BenchmarkScrape(b *testing.B) {
	for _, encoding := range []string{"identity", "gzip"} {
		b.Run(encoding, func(b *testing.B) {
			_, h := busy(b)
			for b.Loop() {
				r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
				r.Header.Set("Accept-Encoding", encoding)
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}

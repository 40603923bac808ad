# lockd and lockctl in an image that holds nothing else: no shell, no libraries, not root.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/ ./cmd/lockd ./cmd/lockctl

FROM scratch
COPY --from=build /out/lockd /out/lockctl /
# Certificates and /etc/passwd are not needed: no TLS is spoken, and users are numbers.
USER 65534:65534
EXPOSE 7420 7421
# From outside the container nothing is loopback. Publish the ports to where they may be reached, no further:
# lease ids, which are secrets, travel in plaintext.
ENV LOCKD_LISTEN=0.0.0.0:7420 LOCKD_HTTP=0.0.0.0:7421 LOCKD_INSECURE=true
HEALTHCHECK --interval=5s --timeout=3s CMD ["/lockd", "healthcheck"]
ENTRYPOINT ["/lockd"]

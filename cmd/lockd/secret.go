package main

import "strings"

// hidden stands where a password was.
const hidden = "xxxxx"

// secretIn answers where in text, if it is a URL, the password begins and ends; both 0 if
// there is none. It looks at the text and
// not at how it parses: a password with an unescaped # / or ? in it parses as something else. Of several
// passwords it takes everything from the first to the last.
func secretIn(text string) (from, to int) {
	scheme := strings.Index(text, "://")
	to = strings.LastIndex(text, "@")
	if from = scheme + len("://"); scheme < 0 || to < from {
		return 0, 0
	}
	colon := strings.Index(text[from:to], ":")
	if colon < 0 {
		return 0, 0
	}
	return from + colon + 1, to
}

// passwordOf answers the password of a URL as it is written there, "" if it has none.
func passwordOf(text string) string {
	from, to := secretIn(text)
	return text[from:to]
}

// redacted is a URL, or any text, as it may be shown.
func redacted(text string) string {
	if from, to := secretIn(text); from < to {
		return text[:from] + hidden + text[to:]
	}
	return text
}

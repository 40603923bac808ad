// Package figure is the arithmetic of the bench: percentiles of what was timed, medians over rounds, and
// how a figure is written.
package figure

import (
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Times are how long something took.
type Times struct {
	N             int
	Median, Worst time.Duration // Worst: 99 of 100 were not longer
}

// Of returns the Times of all, which it sorts.
func Of(all []time.Duration) Times {
	if len(all) == 0 {
		return Times{}
	}
	slices.Sort(all)
	return Times{len(all), all[len(all)/2], all[len(all)*99/100]}
}

// Median returns the middle one of values, what lies between the two if there are two; 0 if there are none.
func Median[T int | int64 | float64 | time.Duration](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[half-1] + sorted[half]) / 2
	}
	return sorted[half]
}

// Medians returns the median of each number in a struct, each by itself, the numbers of structs in it
// included. Fields of other kinds are left zero.
func Medians[T any](rounds []T) (middle T) {
	of := make([]reflect.Value, len(rounds))
	for i := range rounds {
		of[i] = reflect.ValueOf(&rounds[i]).Elem()
	}
	if len(of) > 0 {
		medians(reflect.ValueOf(&middle).Elem(), of)
	}
	return middle
}

func medians(to reflect.Value, of []reflect.Value) {
	switch to.Kind() {
	case reflect.Struct:
		for i := range to.NumField() {
			fields := make([]reflect.Value, len(of))
			for j, v := range of {
				fields[j] = v.Field(i)
			}
			medians(to.Field(i), fields)
		}
	case reflect.Float64:
		to.SetFloat(Median(all(of, reflect.Value.Float)))
	case reflect.Int, reflect.Int64:
		to.SetInt(Median(all(of, reflect.Value.Int)))
	}
}

func all[T any](of []reflect.Value, value func(reflect.Value) T) (values []T) {
	for _, v := range of {
		values = append(values, value(v))
	}
	return values
}

// Per is a total divided among n; 0 if there are none.
func Per(total time.Duration, n int) time.Duration {
	if n == 0 {
		return 0
	}
	return total / time.Duration(n)
}

// Short is a duration in the unit that fits, with three digits or so.
func Short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d >= 100*time.Microsecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	default:
		return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond))
	}
}

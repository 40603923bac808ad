// Package picture draws charts as SVG: a panel for each figure, a line for each contestant. It is readable on a
// light and on a dark page.
package picture

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"
)

// Chart is panels that share their groups and series.
type Chart struct {
	Title, Note string
	GroupLabel  string   // what the groups are
	Groups      []string // along the x axis
	Series      []string // the first one is drawn bold
	Panels      []Panel
}

// Panel is one figure.
type Panel struct {
	Title string
	Label string      // of the y axis, with its unit
	Of    [][]float64 // by series and group; 0: not measured
}

// Sizes, in pixels.
const (
	panelWidth, panelHeight        = 440, 400
	left, right, top, bottom       = 66, 12, 76, 52
	legendHeight, legendColumn     = 76, 220
	boldLine, thinLine, markerSize = 3.2, 1.5, 3.5
)

// colours can be told apart on white and on black, also by most of those who see few colours.
var colours = []string{"#d9480f", "#868e96", "#2f9e44", "#1c7ed6", "#9c36b5", "#0c8599", "#b08800", "#e64980"}

const style = `<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 16px; font-weight: 600 } .panel { font-weight: 600 } .small { font-size: 11.5px }
.grid { stroke: #8884; stroke-width: 1 } .axis { stroke: #888; stroke-width: 1 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
</style>
`

// Write writes the chart.
func (c Chart) Write(to io.Writer) error {
	var b strings.Builder
	width, height := panelWidth*len(c.Panels), panelHeight+legendHeight
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		width, height, width, height, escaped(c.Title))
	b.WriteString(style)
	text(&b, 12, 22, "title", "start", c.Title)
	text(&b, 12, 40, "small", "start", c.Note)
	for i, p := range c.Panels {
		fmt.Fprintf(&b, `<g transform="translate(%d,0)">`+"\n", i*panelWidth)
		c.draw(&b, p)
		b.WriteString("</g>\n")
	}
	for i, name := range c.Series {
		x, y := left+legendColumn*(i%columns(width)), panelHeight+16+20*(i/columns(width))
		fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s" stroke-width="%.1f"/>`+"\n", x, y, x+26, y, colour(i), thickness(i))
		text(&b, float64(x+33), float64(y+4), "", "start", name)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(to, b.String())
	return err
}

func columns(width int) int { return max(1, (width-left)/legendColumn) }

// draw draws a panel: a logarithmic y axis, since what is compared differs by powers of ten.
func (c Chart) draw(b *strings.Builder, p Panel) {
	scale := scaleOf(p.Of)
	x := func(group int) float64 {
		return left + (float64(group)+0.5)*(panelWidth-left-right)/float64(len(c.Groups))
	}
	text(b, left, top-12, "panel", "start", p.Title)
	for _, tick := range scale.ticks() {
		y := scale.y(tick)
		fmt.Fprintf(b, `<line class="grid" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/>`+"\n", left, y, panelWidth-right, y)
		text(b, left-6, y+4, "small", "end", number(tick))
	}
	fmt.Fprintf(b, `<line class="axis" x1="%d" y1="%d" x2="%d" y2="%d"/>`+"\n", left, panelHeight-bottom, panelWidth-right, panelHeight-bottom)
	for i, group := range c.Groups {
		text(b, x(i), panelHeight-bottom+18, "small", "middle", group)
	}
	text(b, (left+panelWidth-right)/2, panelHeight-bottom+38, "", "middle", c.GroupLabel)
	fmt.Fprintf(b, `<text transform="translate(14,%d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", (top+panelHeight-bottom)/2, escaped(p.Label))
	for i := len(p.Of) - 1; i >= 0; i-- { // the first on top
		var points []string
		for group, value := range p.Of[i] {
			if value <= 0 {
				continue
			}
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(group), scale.y(value)))
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s"><title>%s, %s: %s</title></circle>`+"\n",
				x(group), scale.y(value), markerSize, colour(i), escaped(c.Series[i]), escaped(c.Groups[group]), number(value))
		}
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="%.1f" points="%s"/>`+"\n", colour(i), thickness(i), strings.Join(points, " "))
	}
}

// scale is a logarithmic y axis.
type scale struct{ low, high float64 }

// scaleOf holds all values, between numbers that begin with 1, 2 or 5.
func scaleOf(of [][]float64) scale {
	s := scale{math.Inf(1), 0}
	for _, values := range of {
		for _, v := range values {
			if v > 0 {
				s.low, s.high = min(s.low, v), max(s.high, v)
			}
		}
	}
	if s.high == 0 {
		return scale{1, 10}
	}
	return scale{below(s.low), above(s.high)}
}

func (s scale) y(value float64) float64 {
	share := math.Log(value/s.low) / math.Log(s.high/s.low)
	return panelHeight - bottom - share*(panelHeight-bottom-top)
}

func (s scale) ticks() (all []float64) {
	for v := s.low; v < s.high*1.01; v = above(v * 1.01) {
		all = append(all, v)
	}
	return all
}

// above is the next number that begins with 1, 2 or 5, v itself if it does.
func above(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, first := range []float64{1, 2, 5} {
		if v <= first*power*1.0001 {
			return first * power
		}
	}
	return 10 * power
}

func below(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, first := range []float64{5, 2} {
		if v >= first*power {
			return first * power
		}
	}
	return power
}

func number(v float64) string {
	switch {
	case v >= 10_000:
		return fmt.Sprintf("%.3g k", v/1000)
	case v >= 1000:
		return fmt.Sprintf("%.0f", v)
	default:
		return fmt.Sprintf("%.3g", v)
	}
}

func text(b *strings.Builder, x, y float64, class, anchor, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`+"\n", x, y, class, anchor, escaped(s))
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

func colour(series int) string { return colours[series%len(colours)] }

func thickness(series int) float64 {
	if series == 0 {
		return boldLine
	}
	return thinLine
}

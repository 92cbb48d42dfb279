// Package gui shows transfers in a browser on this machine.
package gui

package gui

import (
	"net/http"
	"time"

	"qft"
)

// diagnose runs the doctor.
func (h *hub) diagnose(long bool) error {
	h.mu.Lock()
	set := h.settings
	h.mu.Unlock()
	met, err := set.Config()
	if err != nil {
		return err
	}
	cfg := qft.DoctorConfig{Long: long, NoPortMapping: met.NoPortMapping, Stun: met.Stun, Waiting: h.diagnosing}
	if met.Helper != "" {
		cfg.Servers, cfg.Stun = []string{met.Helper}, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return errStopping
	case h.doctor.Running:
		return refuse(http.StatusConflict, "", "the network is being measured already")
	}
	h.doctor = Doctor{Running: true, Diagnosis: h.doctor.Diagnosis}
	h.tellState()
	h.working.Go(func() {
		d, err := qft.Doctor(h.ctx, cfg)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.doctor = Doctor{Diagnosis: &d}
		if err != nil {
			h.doctor = Doctor{Error: problemOf(err)}
		}
		h.tellState()
	})
	return nil
}

// diagnosing: it takes so long still.
func (h *hub) diagnosing(rest time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.doctor.Rest = rest.Milliseconds()
	h.tellState()
}

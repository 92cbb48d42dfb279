package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// LeastSecret is how many characters a helper's secret has at least: what is
// shown of it to the helper allows guessing at leisure to whoever sees that.
const LeastSecret = 16

// secret is what a private helper lets in by: never from a flag, where
// everybody on the machine could read it. QFT_HELPER_SECRET goes before the
// file, but for one that a flag names.
func (s *Settings) secret() ([]byte, error) {
	file := s.values[HelperSecretFile]
	if secret := os.Getenv("QFT_HELPER_SECRET"); secret != "" && !strings.HasPrefix(file.From, "--") {
		secret = strings.TrimSpace(secret)
		if len(secret) < LeastSecret {
			return nil, &Error{"QFT_HELPER_SECRET", fmt.Errorf("a secret has at least %d characters", LeastSecret)}
		}
		return []byte(secret), nil
	}
	if file.Value == "" {
		return nil, nil
	}
	all, err := ReadSecrets(file.Value)
	if err != nil {
		return nil, &Error{file.where(), err}
	}
	return all[0], nil
}

// ReadSecrets reads the secrets of a helper, one a line, with # for comments.
func ReadSecrets(path string) (all [][]byte, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the secret: %s: %w", path, plain(err))
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(line) < LeastSecret {
			return nil, fmt.Errorf("%s:%d: a secret has at least %d characters; a good one comes from: openssl rand -base64 24", path, n, LeastSecret)
		}
		all = append(all, []byte(line))
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s holds no secret", path)
	}
	return all, nil
}

// plain is the cause of an error of a file, without the call and the path.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

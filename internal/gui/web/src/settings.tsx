// What is set, and where that was said.

import { useEffect, useState } from "preact/hooks";
import type { Setting } from "./api";
import { call } from "./client";
import { attempt, state } from "./model";
import { Field } from "./parts";
import { text } from "./text.en";

export function Settings() {
  return (
    <>
      <h1>{text.settings}</h1>
      <section class="card">
        <p class="lead">{text.settingsLead}</p>
        <NotifySwitch />
        {(state.value?.settings ?? []).map((s) => (
          <SettingRow key={s.key} of={s} />
        ))}
      </section>
    </>
  );
}

function NotifySwitch() {
  const there = "Notification" in window;
  const [may, setMay] = useState(there ? Notification.permission : "denied");
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={may === "granted"}
        disabled={may !== "default"}
        data-test="notify"
        onChange={() => void Notification.requestPermission().then(setMay)}
      />
      <span>{may === "denied" ? `${text.notify} (${text.notifyOff})` : text.notify}</span>
    </label>
  );
}

function SettingRow({ of: s }: { of: Setting }) {
  const [value, setValue] = useState(s.value);
  const [saved, setSaved] = useState(false);
  useEffect(() => setValue(s.value), [s.value]);
  const save = async (v: string) => {
    setSaved(false);
    if ((await attempt(() => call("/api/settings", { key: s.key, value: v }))) !== undefined) setSaved(true);
  };
  const hint = [s.usage, text.standard(s.default), s.fixed ? text.fixed(s.from) : ""].filter(Boolean).join(" · ");
  return (
    <form
      class="setting"
      data-test="setting"
      data-key={s.key}
      onSubmit={(e) => {
        e.preventDefault();
        void save(value);
      }}
    >
      <Field label={s.key} hint={hint}>
        {(id, hintID) =>
          s.choices.length > 0 ? (
            <select
              id={id}
              value={value}
              disabled={s.fixed}
              aria-describedby={hintID}
              data-test="setting-value"
              onChange={(e) => {
                setValue(e.currentTarget.value);
                void save(e.currentTarget.value);
              }}
            >
              <option value="">{text.standard(s.default)}</option>
              {s.choices.map((c) => (
                <option key={c} value={c}>
                  {c}
                </option>
              ))}
            </select>
          ) : (
            <div class="with-button">
              <input id={id} value={value} disabled={s.fixed} placeholder={s.default} spellcheck={false} autocomplete="off" aria-describedby={hintID} data-test="setting-value" onInput={(e) => setValue(e.currentTarget.value)} />
              <button type="submit" disabled={s.fixed || value === s.value} aria-label={`${text.save}: ${s.key}`} data-test="setting-save">
                {text.save}
              </button>
            </div>
          )
        }
      </Field>
      <span role="status" class="good">
        {saved ? text.saved : ""}
      </span>
    </form>
  );
}

// A photograph from the camera: in a dialog where the browser allows it (on this
// machine or over HTTPS), else with the camera of the phone.

import { ask } from "./dialogs.js";
import { toBlob } from "./picture.js";

const dialog = document.getElementById("camera");
const video = document.getElementById("video");

/** Answers with an image file, or null if none was taken here. */
export async function photograph(fallback) {
  let stream;
  try {
    if (matchMedia("(pointer: coarse)").matches) throw new Error("the phone does it better");
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
  } catch {
    fallback.click();
    return null;
  }
  try {
    video.srcObject = stream;
    if (await ask(dialog) !== "shoot" || !video.videoWidth) return null;
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    return new File([await toBlob(canvas, "image/png")], "photograph.png", { type: "image/png" });
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  }
}
